"""ConversationReceived: a conversation was accepted (one posting of it: a revision).

A foreign producer needs to write `conversation_id` and `turns` only; `codec` fills in the rest.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, JsonValue, field_validator

from schemas.event import (
    ContentHash,
    ConversationId,
    Event,
    OpenEnum,
    Part,
    StorableJson,
    Text,
    UtcTime,
)

MAX_TURNS = 500
MAX_TEXT_CHARACTERS = 20_000
MAX_METADATA_BYTES = 16 * 1024
MAX_RAW_BYTES = 64 * 1024
EARLIEST_OCCURRED_AT = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""


class Role(OpenEnum):
    """Who spoke."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Turn(Part):
    """One utterance."""

    role: Role = Role.CUSTOMER
    author: Annotated[Text, Field(max_length=200)] | None = None
    text: Annotated[Text, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
    at: UtcTime | None = None


def _only_what_a_foreign_producer_must_write(schema: dict[str, Any]) -> None:
    schema["required"] = ["conversation_id", "turns"]


class ConversationReceived(Event):
    """A conversation as it was accepted, with all its turns so far."""

    model_config = ConfigDict(json_schema_extra=_only_what_a_foreign_producer_must_write)

    type: ClassVar[str] = "undertone.conversation.received.v1"

    conversation_id: ConversationId
    received_at: UtcTime
    """When it was accepted."""
    occurred_at: UtcTime
    """The latest time that any turn states, else received_at."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1, max_length=MAX_TURNS)]
    channel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")] | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{2,35}$")] | None = None
    """A BCP 47 tag."""
    metadata: dict[Text, StorableJson] | None = None
    raw: dict[Text, StorableJson] | None = None
    """The sender's own object, kept as it came."""
    content_hash: ContentHash

    @field_validator("metadata", "raw")
    @classmethod
    def _bounded(cls, value: dict[str, JsonValue] | None, info: Any) -> dict[str, JsonValue] | None:
        limit = MAX_METADATA_BYTES if info.field_name == "metadata" else MAX_RAW_BYTES
        if value is not None and len(json.dumps(value, ensure_ascii=False).encode()) > limit:
            raise ValueError(f"is larger than {limit // 1024} KiB as JSON")
        return value


def content_hash_of(turns: Iterable[Turn]) -> str:
    """SHA-256 (hex) over role and text of the turns, NFC-normalised and trimmed.

    This is all that an engine ever sees of a conversation, so equal hashes mean equal analyses.
    """
    return content_hash_of_utterances((turn.role, turn.text) for turn in turns)


def content_hash_of_utterances(utterances: Iterable[tuple[str, str]]) -> str:
    """The same, of roles and texts."""
    hashed = ""
    for role, said in utterances:
        if said.isascii():
            text = said.strip()
            size = len(text)
        else:
            text = unicodedata.normalize("NFC", said).strip()
            size = len(text.encode())
        # A role is a string already; its `value`, or formatting it, costs more than all the rest.
        hashed += role + f":{size}:{text}"
    return hashlib.sha256(hashed.encode()).hexdigest()


def content_hash_of_utterance(role: str, said: str) -> str:
    """The same, of the only utterance; quicker by a quarter when `role` is a plain string."""
    if not said.isascii():
        return content_hash_of_utterances(((role, said),))
    text = said.strip()
    return hashlib.sha256(f"{role}:{len(text)}:{text}".encode()).hexdigest()


def occurred_at_of(turns: Iterable[Turn], received_at: datetime) -> datetime:
    """The latest time that any turn states, else received_at."""
    latest = None
    for turn in turns:
        if turn.at is not None and (latest is None or turn.at > latest):
            latest = turn.at
    return received_at if latest is None else latest


def refuse_implausible_time(moment: datetime, now: datetime) -> datetime:
    """Return the moment; raise ValueError when it is before 2000 or more than five minutes ahead of `now`."""
    if moment < EARLIEST_OCCURRED_AT:
        raise ValueError("is before the year 2000")
    if moment > now + CLOCK_TOLERANCE:
        raise ValueError("is more than five minutes in the future")
    return moment
