"""Builders: a valid event or record in one call, with only what a test cares about spelled out."""

from collections.abc import Sequence
from datetime import UTC, datetime

from schemas.codec import RawRecord, encode
from schemas.conversation_received import ConversationReceived, Role, Turn, content_hash_of, occurred_at_of
from schemas.envelope import Envelope, new_envelope
from schemas.event import Event
from schemas.topics import RECEIVED, Topic

NOW = datetime(2026, 3, 2, 9, 17, 13, tzinfo=UTC)


def a_turn(text: str = "My parcel has still not arrived.", role: Role = Role.CUSTOMER) -> Turn:
    return Turn(role=role, text=text)


def a_conversation(
    conversation_id: str = "conv_1",
    *texts: str,
    turns: Sequence[Turn] = (),
    received_at: datetime = NOW,
    channel: str | None = "chat",
    language: str | None = None,
) -> ConversationReceived:
    """A conversation whose customer says the texts, one a turn."""
    said = tuple(turns) or tuple(a_turn(text) for text in texts) or (a_turn(),)
    return ConversationReceived(
        conversation_id=conversation_id,
        received_at=received_at,
        occurred_at=occurred_at_of(said, received_at),
        turns=said,
        channel=channel,
        language=language,
        content_hash=content_hash_of(said),
    )


def an_envelope(source: str = "/undertone/test", now: datetime = NOW) -> Envelope:
    return new_envelope(source, now)


def a_record(
    event: Event,
    key: str | None = None,
    *,
    topic: Topic = RECEIVED,
    partition: int = 0,
    offset: int = 0,
    timestamp: datetime = NOW,
    envelope: Envelope | None = None,
) -> RawRecord:
    """The record that carries the event, keyed by its conversation id unless a key is given."""
    value, headers = encode(event, envelope or an_envelope())
    key = key if key is not None else str(getattr(event, "conversation_id", ""))
    return RawRecord(topic.name, partition, offset, int(timestamp.timestamp() * 1000), key.encode(), value, headers)
