"""Events to records and back: the only place that serialises and deserialises.

Encoding is total. Decoding raises UndecodableRecord, whose detail names the place in the record and never
quotes conversation text, so that it may stand in headers and logs.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.conversation_received import (
    CLOCK_TOLERANCE,
    ConversationReceived,
    Turn,
    content_hash_of,
    occurred_at_of,
    refuse_implausible_time,
)
from schemas.dead_letter import DeadLetterReason
from schemas.envelope import Envelope, Headers, from_headers, read_text_headers, to_headers
from schemas.event import Event
from schemas.topics import Topic

E = TypeVar("E", bound=Event)
_CLOCK_TOLERANCE_MS = CLOCK_TOLERANCE.total_seconds() * 1000
"""How far the clocks of two brokers may be apart."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as Kafka delivered it; `timestamp_ms` is the broker's, `topic` the name without any prefix."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> str:
        """Topic, partition and offset in one word."""
        return f"{self.topic}-{self.partition}-{self.offset}"

    @property
    def received_at(self) -> datetime:
        """The broker's time of receipt."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """An event with its envelope."""

    event: Event
    envelope: Envelope


class UndecodableRecord(ValueError):  # noqa: N818 - it names what was met, as house style asks
    """A record that the contract refuses; `detail` holds no conversation text."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def encode_value(event: Event) -> bytes:
    """The event as compact JSON in UTF-8, without members that are null."""
    return event.__pydantic_serializer__.to_json(event, exclude_none=True)


def encode(event: Event, envelope: Envelope) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The value and the headers of the record that carries the event."""
    return encode_value(event), to_headers(envelope, event.type)


def decode(record: RawRecord, topic: Topic) -> DecodedRecord:
    """Read a record of this topic. Raises UndecodableRecord."""
    texts = read_text_headers(record.headers)
    event_class = _event_class(texts, topic)
    received_at = record.received_at
    try:
        envelope = from_headers(texts, place=record.place, received_at=received_at)
    except ValueError as error:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, f"header undertone_revision: {error}") from error
    if envelope.revision is not None and envelope.revision.timestamp_ms > record.timestamp_ms + _CLOCK_TOLERANCE_MS:
        detail = "header undertone_revision: is later than the record that claims to be a copy of it"
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, detail)
    value = record.value
    if not value:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, "the record has no value")
    if event_class is ConversationReceived:
        event: Event = _decode_conversation(value, record, received_at)
    else:
        event = _validate_json(event_class, value)
    return DecodedRecord(event, envelope)


def _event_class(texts: Mapping[str, str], topic: Topic) -> type[Event]:
    """The class that the header `ce_type` names; a topic with one event needs no header."""
    stated = texts.get("ce_type")
    if stated is None and len(topic.events) == 1:
        return topic.events[0]
    for event_class in topic.events:
        if event_class.type == stated:
            return event_class
    detail = f"ce_type {stated[:80]!r} is not carried by {topic.name}" if stated else "the header ce_type is missing"
    raise UndecodableRecord(DeadLetterReason.UNKNOWN_TYPE, detail)


def _validate_json(event_class: type[E], value: bytes) -> E:
    try:
        return event_class.model_validate_json(value)
    except ValidationError as error:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, describe(error)) from error


def _decode_conversation(value: bytes, record: RawRecord, received_at: datetime) -> ConversationReceived:
    try:
        conversation = ConversationReceived.model_validate_json(value)
    except ValidationError as error:
        if not _lacks_only_what_we_fill_in(error):
            detail = describe(error, apart_from=_FILLED_IN)
            raise UndecodableRecord(DeadLetterReason.UNDECODABLE, detail) from error
        conversation = _fill_in(json.loads(value), record)
    try:
        refuse_implausible_time(conversation.occurred_at, received_at)
    except ValueError as error:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, f"occurred_at: {error}") from error
    if record.key != conversation.conversation_id.encode():
        raise UndecodableRecord(DeadLetterReason.KEY_MISMATCH, "the record's key is not its conversation_id")
    content_hash = content_hash_of(conversation.turns)
    if content_hash == conversation.content_hash:
        return conversation
    return conversation.model_copy(update={"content_hash": content_hash})


_FILLED_IN = frozenset({"received_at", "occurred_at", "content_hash"})
"""Members of ConversationReceived that a foreign producer may leave out."""


def _lacks_only_what_we_fill_in(error: ValidationError) -> bool:
    return all(_is_lack_of(_FILLED_IN, problem) for problem in error.errors(include_url=False, include_input=False))


def _is_lack_of(names: Collection[str], problem: Mapping[str, Any]) -> bool:
    return problem["type"] == "missing" and len(problem["loc"]) == 1 and problem["loc"][0] in names


def _fill_in(members: dict[str, Any], record: RawRecord) -> ConversationReceived:
    """A foreign producer's conversation, made whole from the record's time and its own turns."""
    try:
        turns = tuple(Turn.model_validate(turn) for turn in members["turns"])
        received_at = members.get("received_at", record.received_at)
        filled = {
            "received_at": received_at,
            "occurred_at": occurred_at_of(turns, record.received_at),
            "content_hash": content_hash_of(turns),
            **members,
            "turns": turns,
        }
        return ConversationReceived.model_validate(filled)
    except ValidationError as error:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, describe(error)) from error


def describe(error: ValidationError, *, apart_from: Collection[str] = ()) -> str:
    """Every problem with its place, at most five; never the value, and no name inside free-form members.

    That a member of `apart_from` is missing is no problem.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = {problem["loc"] for problem in found}
    problems = [
        problem for problem in found if not _is_lack_of(apart_from, problem) and not _is_of_parts(problem, places)
    ]
    sentences = [f"{place_of(problem['loc'])}: {problem['msg']}" for problem in problems[:5]]
    if len(problems) > len(sentences):
        sentences.append(f"and {len(problems) - len(sentences)} more")
    return "; ".join(sentences)


def _is_of_parts(problem: Mapping[str, Any], places: Collection[tuple[int | str, ...]]) -> bool:
    """Whether a list is called too short only because each of its entries has a problem, which is told."""
    depth = len(problem["loc"])
    return problem["type"] == "too_short" and any(
        len(place) > depth and place[:depth] == problem["loc"] for place in places
    )


def place_of(location: Sequence[int | str]) -> str:
    """A field's place such as `turns.0.text`; names inside `metadata` and `raw` are the sender's own words."""
    parts = location[:1] if location and location[0] in {"metadata", "raw"} else location
    return ".".join(str(part) for part in parts) or "record"
