"""The record that sends a conversation through the replay lane: its own bytes, and headers that say of what. Pure."""

import json
from dataclasses import dataclass, replace

from schemas.codec import RawRecord, decode, encode_value
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Headers, new_traceparent, read_text_headers, to_headers
from schemas.event import Revision
from schemas.revisions import revision_of
from schemas.topics import RECEIVED

SOURCE_HEADER = "undertone_replay_source"
"""Partition and offset of the original in conversations.received.v1, as `3-1204`: what was sent is known by it."""
_REPLAY_ID_HEADER = "undertone_replay_id"
_COMPLETE = frozenset({"received_at", "occurred_at", "content_hash"})
"""Members that a foreign producer may leave out; they are filled in from the time of the original, not of the copy."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A record for the replay lane, and what it is a copy of."""

    partition: int
    offset: int
    """Of the original."""
    conversation: ConversationReceived
    revision: Revision
    key: bytes
    value: bytes
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return len(self.key) + len(self.value)


def copy_of(record: RawRecord, replay_id: str, analysis_version: str | None) -> Copy:
    """The copy of an original, to be analysed under the version (none: the one that is active then).

    Raises UndecodableRecord: the original was buried when it came, and nothing of it was ever analysed.
    """
    decoded = decode(record, RECEIVED)
    conversation = decoded.event
    assert isinstance(conversation, ConversationReceived)  # RECEIVED carries nothing else
    revision = revision_of(record, decoded.envelope)
    envelope = replace(
        decoded.envelope,
        revision=revision,
        replay_id=replay_id,
        analysis_version=analysis_version,
        lane=None,
        traceparent=decoded.envelope.traceparent or new_traceparent(),
    )
    source = (SOURCE_HEADER, f"{record.partition}-{record.offset}".encode())
    return Copy(
        partition=record.partition,
        offset=record.offset,
        conversation=conversation,
        revision=revision,
        key=conversation.conversation_id.encode(),
        value=_whole_value(record.value or b"", conversation),
        headers=(*to_headers(envelope, ConversationReceived.type), source),
    )


def source_of(headers: Headers, replay_id: str) -> tuple[int, int] | None:
    """Partition and offset of the original when the record is a copy that this replay wrote; else None."""
    texts = read_text_headers(headers)
    if texts.get(_REPLAY_ID_HEADER) != replay_id:
        return None
    partition, separator, offset = texts.get(SOURCE_HEADER, "").partition("-")
    if not (separator and partition.isdecimal() and offset.isdecimal()):
        return None
    return int(partition), int(offset)


def _whole_value(value: bytes, conversation: ConversationReceived) -> bytes:
    """The value as it stands, unless something is left out that the copy's reader would fill in by its own time."""
    members = json.loads(value)
    return value if members.keys() >= _COMPLETE else encode_value(conversation)
