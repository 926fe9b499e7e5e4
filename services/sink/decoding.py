"""Records to a batch: what each record means to the sink, and which records nobody can read.

Undecodable records of conversations.received.v1 are the analyzer's to bury, and started events are best effort: both
are counted and passed over. Undecodable outcomes are the sink's: they become dead letters. A dead letter is never
dead-lettered: one with unreadable headers is kept as it is, under an id of its own place.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.analysis_started import AnalysisStarted
from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.dead_letter import DeadLetter, DeadLetterReason, Origin, dead_letter_id_of, exhume
from schemas.event import Event
from schemas.insight_produced import InsightProduced, insight_id_of
from schemas.outcome import Outcome
from schemas.revisions import revision_of
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, STARTED, Topic
from services.sink.batch import Batch, Place
from services.sink.metrics import RECORDS
from services.sink.rows import conversation_row, dead_letter_row, outcome_row

SINK_TOPICS = (RECEIVED, ANALYZED, STARTED, DEAD_LETTER)
_YIELD_EVERY = 10
"""Records between two turns of the event loop, about 0.4 ms: Postgres must not wait for its next statement."""
_TOPIC_BY_NAME = {topic.name: topic for topic in SINK_TOPICS}


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """A record and the partition it came from, as that is named in this Kafka."""

    place: Place
    record: RawRecord
    epoch: int = 0
    """Of the claim under which it was fetched."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is to be buried before its offset is stored."""

    record: RawRecord
    reason: DeadLetterReason
    detail: str


async def read_batch(records: Iterable[PlacedRecord]) -> tuple[Batch, list[Unreadable]]:
    """The batch that these records make, and those of them that must become dead letters.

    Now and then it lets other tasks run: the read API answers in the same event loop.
    """
    batch = Batch()
    unreadable: list[Unreadable] = []
    read: Counter[tuple[str, str]] = Counter()
    for count, placed in enumerate(records, 1):
        if count % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
        record = placed.record
        batch.next_offsets[placed.place] = record.offset + 1
        try:
            _read(record, batch)
            read[record.topic, "read"] += 1
        except UndecodableRecord as error:
            read[record.topic, "undecodable"] += 1
            if record.topic == ANALYZED.name:
                unreadable.append(Unreadable(record, error.reason, error.detail))
    for labels, count in read.items():
        RECORDS.labels(*labels).inc(count)
    return batch, unreadable


def offsets_only(records: Sequence[PlacedRecord]) -> Batch:
    """The batch that passes these records over."""
    return Batch({placed.place: placed.record.offset + 1 for placed in records})


def _read(record: RawRecord, batch: Batch) -> None:
    topic = _TOPIC_BY_NAME[record.topic]
    if topic is DEAD_LETTER:
        batch.dead_letters.append(dead_letter_row(_letter_of(record), record))
        return
    decoded = decode(record, topic)
    event = decoded.event
    match event:
        case ConversationReceived():
            batch.conversations.append(conversation_row(event, record, revision_of(record, decoded.envelope)))
        case AnalysisStarted():
            batch.started.append(event)
        case Outcome():
            _read_outcome(event, record, batch)
        case _:
            raise _unexpected(event, topic)


def _read_outcome(event: Outcome, record: RawRecord, batch: Batch) -> None:
    if record.key != event.conversation_id.encode():
        raise UndecodableRecord(DeadLetterReason.KEY_MISMATCH, "the record's key is not its conversation_id")
    if isinstance(event, ConversationSkipped) and event.reason is SkipReason.SUPERSEDED:
        RECORDS.labels(record.topic, "superseded").inc()
        return  # a newer revision was waiting: its own outcome is what stands
    if isinstance(event, InsightProduced):
        _refuse_foreign_id(event)
        batch.insights.append(event)
        batch.places.setdefault(event.insight_id, (record.partition, record.offset))
    batch.outcomes.append(outcome_row(event))


def _refuse_foreign_id(event: InsightProduced) -> None:
    expected = insight_id_of(event.conversation_id, event.content_hash, event.analysis_version)
    if event.insight_id != expected:
        raise UndecodableRecord(DeadLetterReason.UNDECODABLE, "insight_id: is not the one that its content gives")


def _unexpected(event: Event, topic: Topic) -> UndecodableRecord:
    return UndecodableRecord(DeadLetterReason.UNKNOWN_TYPE, f"{event.type} is nothing that {topic.name} carries")


def _letter_of(record: RawRecord) -> DeadLetter:
    try:
        return exhume(record.headers)
    except (ValueError, OverflowError):
        return _letter_of_nobody(record)


def _letter_of_nobody(record: RawRecord) -> DeadLetter:
    origin = Origin(record.topic, record.partition, record.offset, record.timestamp_ms)
    value = record.value or b""
    return DeadLetter(
        id=dead_letter_id_of(origin),
        reason=DeadLetterReason.UNKNOWN,
        detail="the dead-letter headers are missing or malformed",
        origin=origin,
        failed_at=record.received_at,
        service="unknown",
        sha256=hashlib.sha256(value).hexdigest(),
        original_size=len(value),
        is_truncated=False,
    )
