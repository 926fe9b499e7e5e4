"""Which records of one partition are to be sent: of each conversation the newest revision, if it is in range. Pure.

A conversation is always in one partition, so partitions are chosen from one after the other, and memory holds the
conversations of one partition only.
"""

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.envelope import read_text_headers
from schemas.event import Revision
from schemas.topics import RECEIVED

OUTSIDE = -1
"""The offset of a newest revision that is not to be sent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations are meant, beside those of the time that is asked for."""

    conversation_ids: Collection[str] | None = None
    """Only these; None: all."""
    channel: str | None = None


class Newest:
    """The newest revision of every conversation of a partition; tell it each record from the range's start on."""

    def __init__(self, wanted: Wanted, first: int, end: int) -> None:
        self._ids = None if wanted.conversation_ids is None else {one.encode() for one in wanted.conversation_ids}
        self._channel = wanted.channel
        self._range = range(first, end)
        self._found: dict[bytes, tuple[int, int, int]] = {}
        """Key to (revision's time, revision's offset, offset to be sent)."""

    def add(self, record: RawRecord) -> None:
        """Take a record into account; what nothing was analysed of changes nothing."""
        key = record.key
        if not key or (self._ids is not None and key not in self._ids):
            return
        known = self._found.get(key)
        is_in_range = record.offset in self._range
        if known is None and not is_in_range:
            return
        revision = _revision(record)
        if revision is None or (known is not None and revision <= known[:2]):
            return
        if known is None and self._channel is None:
            self._found[key] = (*revision, record.offset)
            return
        # Of a conversation that came again only what can be read takes the place of what could be.
        conversation = _decoded(record)
        if conversation is not None:
            fits = is_in_range and (self._channel is None or conversation.channel == self._channel)
            self._found[key] = (*revision, record.offset if fits else OUTSIDE)

    def chosen_keys(self) -> Iterator[bytes]:
        """Of the conversations to be sent."""
        return (key for key, (_, _, offset) in self._found.items() if offset != OUTSIDE)

    def offsets(self) -> "array[int]":
        """The offsets to be sent, in order."""
        return array("q", sorted(offset for _, _, offset in self._found.values() if offset != OUTSIDE))


def _revision(record: RawRecord) -> tuple[int, int] | None:
    """As `schemas.revisions`, without reading the whole envelope of a record that is no copy."""
    if not any(name == "undertone_revision" for name, _ in record.headers):
        return record.timestamp_ms, record.offset
    try:
        return Revision.parse(read_text_headers(record.headers).get("undertone_revision", ""))
    except ValueError:
        return None


def _decoded(record: RawRecord) -> ConversationReceived | None:
    try:
        event = decode(record, RECEIVED).event
    except UndecodableRecord:
        return None
    return event if isinstance(event, ConversationReceived) else None
