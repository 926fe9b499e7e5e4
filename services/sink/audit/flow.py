"""Whether all that Kafka holds is accounted for by rows, and all that rows wait for is being worked on.

Each record of the accepted conversations and of the outcomes is looked for by its id. What others have read is asked
before the ends of what they write, and rows are looked at last, so nothing that is merely on its way is named: the
services go on meanwhile, and nothing is changed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.dead_letter import Origin, dead_letter_id_of
from schemas.event import Revision
from schemas.insight_produced import InsightProduced
from schemas.outcome import Outcome
from schemas.revisions import revision_of
from schemas.topics import ANALYZED, RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection
from services.sink.audit.logs import Logs, Range
from services.sink.audit.progress import Progress, read_progress
from services.sink.audit.tally import Standing, Tally, Verdict, verdict_of, verdict_without_row
from services.sink.redriving.copies import letter_of
from services.sink.sql import audit_flow as sql


@dataclass(slots=True)
class _Piece:
    """The records of a piece that one query is about, in columns."""

    records: list[RawRecord] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    others: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, record: RawRecord, conversation_id: str, revision: Revision, *others: Any) -> None:
        self.records.append(record)
        self.ids.append(conversation_id)
        self.revisions.append(revision)
        self.others.append(others)

    def columns(self) -> tuple[Sequence[Any], ...]:
        return (
            range(len(self.records)),
            self.ids,
            [revision.timestamp_ms for revision in self.revisions],
            [revision.offset for revision in self.revisions],
            [_letter_id(record) for record in self.records],
            *zip(*self.others, strict=True),
        )


class FlowAudit:
    """One audit of one Kafka and one database; `keep_days` is the sink's retention, None for ever."""

    def __init__(self, logs: Logs, database: Any, connection: KafkaConnection, keep_days: int | None) -> None:
        self._logs = logs
        self._database = database
        self._connection = connection
        self._cutoff = datetime.now(UTC) - timedelta(days=keep_days) if keep_days is not None else None
        self._copies: set[UUID] = set()
        self.tally = Tally()

    async def run(self) -> Tally:
        """The audit. Raises KafkaError, and what asyncpg raises."""
        progress = await read_progress(self._logs, self._database, self._connection)
        async with self._database.transaction(isolation="repeatable_read", readonly=True):
            async for records in self._logs.read(RECEIVED, progress.stored_range(RECEIVED)):
                await self._check_postings(records, progress)
            async for records in self._logs.read(ANALYZED, progress.stored_range(ANALYZED)):
                await self._check_outcomes(records, progress)
            for topic in (RECEIVED, ANALYZED):
                self._note_lag(topic, progress)
            await self._count_conversations()
            await self._find_stuck(progress)
        return self.tally

    async def _check_postings(self, records: Sequence[RawRecord], progress: Progress) -> None:
        piece, unreadable = _Piece(), _Piece()
        for record in records:
            try:
                decoded = decode(record, RECEIVED)
            except UndecodableRecord:
                _add_unreadable(unreadable, record)
                continue
            assert isinstance(decoded.event, ConversationReceived)
            revision = revision_of(record, decoded.envelope)
            piece.add(record, decoded.event.conversation_id, revision, bytes.fromhex(decoded.event.content_hash))
            self._name_if_doubled(record)
        await self._judge(sql.POSTINGS, piece, verdict_of, progress.is_settled)
        await self._judge(
            sql.POSTINGS,
            unreadable,
            verdict_without_row,
            lambda record: progress.is_settled(record) and progress.has_analyzed(record),
        )

    async def _check_outcomes(self, records: Sequence[RawRecord], progress: Progress) -> None:
        piece, unreadable = _Piece(), _Piece()
        for record in records:
            try:
                event = decode(record, ANALYZED).event
            except UndecodableRecord:
                _add_unreadable(unreadable, record, "", None, record.timestamp_ms)
                continue
            assert isinstance(event, Outcome)
            if isinstance(event, ConversationSkipped) and event.reason is SkipReason.SUPERSEDED:
                self.tally.count(ANALYZED.name, _hour_of(record), Verdict.SUPERSEDED)
                continue
            insight_id = event.insight_id if isinstance(event, InsightProduced) else None
            version, recorded_ms = event.analysis_version, record.timestamp_ms
            piece.add(record, event.conversation_id, event.revision, version, insight_id, recorded_ms)
        await self._judge(sql.OUTCOMES, piece, verdict_of, progress.is_settled)
        await self._judge(sql.OUTCOMES, unreadable, verdict_without_row, progress.is_settled)

    async def _judge(
        self,
        query: str,
        piece: _Piece,
        judge: Callable[[Mapping[str, Any], Standing], Verdict],
        is_settled: Callable[[RawRecord], bool],
    ) -> None:
        if not piece.records:
            return
        for row in await self._database.fetch(query, *piece.columns()):
            record, revision = piece.records[row["number"]], piece.revisions[row["number"]]
            standing = Standing(
                is_read=is_settled(record),
                is_old=self._cutoff is not None and revision.timestamp_ms < self._cutoff.timestamp() * 1000,
                is_copy=letter_of(record.headers) is not None,
            )
            verdict = judge(row, standing)
            self.tally.count(record.topic, _hour_of(record), verdict)
            if verdict is Verdict.MISSING:
                self.tally.name(f"missing, of {record.topic}", _named(record, piece.ids[row["number"]]))

    def _name_if_doubled(self, record: RawRecord) -> None:
        letter_id = letter_of(record.headers)
        if letter_id is None:
            return
        if letter_id in self._copies:
            self.tally.name("doubled: copies of one dead letter", f"{letter_id} at {record.place}")
        self._copies.add(letter_id)

    def _note_lag(self, topic: Topic, progress: Progress) -> None:
        ends = progress.ranges[topic.name]
        waiting = sum(ends[partition].end - one.end for partition, one in progress.stored_range(topic).items())
        if waiting:
            self.tally.notes.append(f"Of {topic.name} the sink has {waiting:,} still to store: it is behind.")

    async def _count_conversations(self) -> None:
        for row in await self._database.fetch(sql.STATUSES):
            counts = self.tally.conversations.setdefault(row["hour"], Counter())
            counts[row["status"]] += row["conversations"]

    async def _find_stuck(self, progress: Progress) -> None:
        """Name conversations without an outcome although nobody works on them any more."""
        done = {
            partition: offset
            for partition, offset in progress.acknowledged[RECEIVED.name].items()
            if progress.has_stored(ANALYZED, partition)
        }
        rows = await self._database.fetch(sql.UNFINISHED, list(done), list(done.values()))
        if not rows:
            return
        again = await self._keys_on_the_replay_lane(progress)
        for row in rows:
            if row["conversation_id"] in again:
                continue
            letter = f", its dead letter {row['dead_letter_id']} waits ({row['reason']})" if row["reason"] else ""
            since = f"{row['received_at']:%Y-%m-%d %H:%M}"
            self.tally.name("stuck", f"{row['conversation_id']}: {row['status']}, accepted {since}{letter}")

    async def _keys_on_the_replay_lane(self, progress: Progress) -> set[str]:
        acknowledged = progress.acknowledged[REPLAY.name]
        waiting = {
            partition: Range(max(one.beginning, acknowledged.get(partition, 0)), one.end)
            for partition, one in progress.ranges[REPLAY.name].items()
        }
        keys: set[str] = set()
        async for records in self._logs.read(REPLAY, waiting):
            keys.update((record.key or b"").decode(errors="replace") for record in records)
        return keys


def _add_unreadable(piece: _Piece, record: RawRecord, *others: Any) -> None:
    """A record that is nobody's; its key may be the id of a conversation that was erased."""
    key = (record.key or b"").decode(errors="replace").replace("\x00", "")
    piece.add(record, key, Revision(record.timestamp_ms, record.offset), *(others or (b"",)))


def _letter_id(record: RawRecord) -> UUID:
    return dead_letter_id_of(Origin(record.topic, record.partition, record.offset, record.timestamp_ms))


def _hour_of(record: RawRecord) -> datetime:
    return record.received_at.replace(minute=0, second=0, microsecond=0)


def _named(record: RawRecord, conversation_id: str) -> str:
    shown = conversation_id if conversation_id.isascii() and conversation_id.isprintable() else "unreadable"
    return f"{shown[:128] or 'unreadable'}: partition {record.partition} offset {record.offset}"
