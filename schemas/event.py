"""What all events share: immutability, tolerance of what is newer, and the checks on text and times.

Readers are older than writers during every deployment, so unknown members are ignored and an unknown value of
an enumeration reads as its UNKNOWN member. What is malformed is refused: pydantic's ValidationError.
"""

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
MAX_JSON_DEPTH = 32
"""Levels of nesting that `metadata` and `raw` may have."""


def to_utc(moment: datetime) -> datetime:
    """The same instant, stated in UTC. Raises ValueError at the ends of time, where UTC has no such date."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of the range of times") from error


def refuse_unstorable_text(text: str) -> str:
    """Return the text; raise ValueError when it holds U+0000 or a lone surrogate.

    Neither can be stored by Postgres or written as UTF-8, so neither may pass the front door.
    """
    if "\x00" in text:
        raise ValueError("contains the character U+0000, which cannot be stored")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains a lone surrogate, which is not valid Unicode text") from error
    return text


def refuse_unstorable_json(value: JsonValue, depth: int = 0) -> JsonValue:
    """Return the value; raise ValueError for text that cannot be stored, NaN, infinities and deep nesting."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        refuse_unstorable_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("contains NaN or an infinity, which JSON does not have")
    elif isinstance(value, dict):
        for name, member in value.items():
            refuse_unstorable_text(name)
            refuse_unstorable_json(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            refuse_unstorable_json(member, depth + 1)
    return value


UtcTime = Annotated[AwareDatetime, AfterValidator(to_utc)]
"""An instant with a zone, kept in UTC. A time without a zone is refused."""

Text = Annotated[str, AfterValidator(refuse_unstorable_text)]
"""Text that Postgres and UTF-8 can hold."""

StorableJson = Annotated[JsonValue, AfterValidator(refuse_unstorable_json)]

ConversationId = Annotated[str, Field(pattern=ID_PATTERN)]
AnalysisVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
ContentHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class OpenEnum(StrEnum):
    """An enumeration that may grow: a subclass has an UNKNOWN member, and reads what it does not know as that."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("unknown") if isinstance(value, str) and value != "unknown" else None


class Lane(OpenEnum):
    """Which way a conversation came: as it happened, or sent again by an operator."""

    LIVE = "live"
    REPLAY = "replay"
    UNKNOWN = "unknown"


_MOST_DIGITS = 18
"""Of a time in milliseconds or an offset: both are 64-bit integers in Kafka and in Postgres."""


class Revision(NamedTuple):
    """One posting of a conversation: where the broker put it in conversations.received.v1.

    Of two revisions of one conversation the greater is the newer. `timestamp_ms` is the broker's time of receipt
    in milliseconds since 1970, `offset` the place in the partition (one conversation is always in one partition).
    """

    timestamp_ms: int
    offset: int

    def __str__(self) -> str:
        return f"{self.timestamp_ms}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote. Raises ValueError."""
        timestamp_ms, separator, offset = text.partition("-")
        if not (separator and text.isascii() and timestamp_ms.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text[:40]!r} is not a revision (milliseconds-offset)")
        if max(len(timestamp_ms), len(offset)) > _MOST_DIGITS:
            raise ValueError(f"{text[:40]!r} has more digits than a time or an offset can have")
        return cls(int(timestamp_ms), int(offset))


class Part(BaseModel):
    """A piece of an event: immutable, tolerant of members that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Event(Part):
    """A fact that happened, with the CloudEvents type under which it travels."""

    type: ClassVar[str]

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema that a writer of this event must satisfy, as committed in snapshots/."""
        schema = cls.model_json_schema(mode="validation")
        schema["title"] = cls.type
        return schema
