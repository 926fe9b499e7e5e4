"""A store under test with its claims, and events in one call."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.analysis_started import AnalysisStarted, StartedConversation
from schemas.conversation_received import Role, Turn, content_hash_of
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.event import Lane, Revision
from schemas.insight_produced import InsightProduced, Path, Sentiment, insight_id_of
from schemas.outcome import Outcome
from services.sink.batch import Batch, Claim, Place
from services.sink.rows import ConversationRow, conversation_row, outcome_row
from services.sink.store import Store
from tests.builders import a_conversation, a_record

NOW = datetime(2026, 3, 2, 9, 17, 13, 250_000, tzinfo=UTC)
RECEIVED, ANALYZED, STARTED = Place("received", 0), Place("analyzed", 0), Place("started", 0)


def revision(number: int) -> Revision:
    return Revision(1_000_000 + number, number)


def posting(
    conversation_id: str, words: str, number: int, *, at: datetime = NOW, channel: str | None = "chat"
) -> ConversationRow:
    event = a_conversation(conversation_id, words, received_at=at, channel=channel)
    moment = datetime.fromtimestamp(revision(number).timestamp_ms / 1000, UTC)
    record = a_record(event, offset=number, timestamp=moment)
    return conversation_row(event, record, Revision(record.timestamp_ms, record.offset))


def hash_of(words: str) -> str:
    return content_hash_of([Turn(role=Role.CUSTOMER, text=words)])


def insight(
    conversation_id: str,
    words: str,
    number: int,
    *,
    version: str = "v1",
    score: float = -0.5,
    topics: Sequence[str] = ("delivery",),
    at: datetime = NOW,
    channel: str | None = "chat",
    lane: Lane = Lane.LIVE,
    confidence: float = 0.9,
) -> InsightProduced:
    return InsightProduced(
        conversation_id=conversation_id,
        revision=revision(number),
        content_hash=hash_of(words),
        analysis_version=version,
        lane=lane,
        occurred_at=at,
        channel=channel,
        insight_id=insight_id_of(conversation_id, hash_of(words), version),
        sentiment_score=score,
        sentiment=Sentiment.UNKNOWN,
        clusters=("late_parcel",),
        topics=tuple(topics),
        confidence=confidence,
        reasoning="It says so.",
        evidence=" ".join(words.split()[:3]),
        summary="A parcel is late.",
        path=Path.OFFLINE,
        model="v1",
        batch_id=uuid.uuid4(),
        started_at=at,
        analyzed_at=at + timedelta(seconds=1),
    )


def failure(conversation_id: str, words: str, number: int, *, version: str = "v1") -> AnalysisFailed:
    return AnalysisFailed(
        conversation_id=conversation_id,
        revision=revision(number),
        content_hash=hash_of(words),
        analysis_version=version,
        occurred_at=NOW,
        reason=FailureReason.LLM_ERROR,
        detail="the model answered 500 each time",
        attempts=5,
        failed_at=NOW,
    )


def skip(
    conversation_id: str, words: str, number: int, *, version: str = "v1", reason: SkipReason = SkipReason.TOO_SHORT
) -> ConversationSkipped:
    return ConversationSkipped(
        conversation_id=conversation_id,
        revision=revision(number),
        content_hash=hash_of(words),
        analysis_version=version,
        occurred_at=NOW,
        reason=reason,
        skipped_at=NOW,
    )


def started(conversation_id: str, number: int, *, version: str = "v1") -> AnalysisStarted:
    return AnalysisStarted(
        batch_id=uuid.uuid4(),
        analysis_version=version,
        started_at=NOW,
        conversations=(StartedConversation(conversation_id=conversation_id, revision=revision(number)),),
    )


@dataclass
class Sink:
    """A store with claims on a partition of each topic; every call is a batch."""

    pool: asyncpg.Pool
    group: str = field(default_factory=lambda: f"group-{uuid.uuid4().hex[:8]}")
    partition: int = 0
    claims: dict[Place, Claim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.pool, self.group, f"sink-{self.partition}")
        self.received, self.analyzed, self.started = (
            Place(topic, self.partition) for topic in ("received", "analyzed", "started")
        )

    async def claim(self) -> "Sink":
        found = await self.store.claim(dict.fromkeys((self.received, self.analyzed, self.started), 0), "cluster-1")
        self.claims = {place: one.claim for place, one in found.items()}
        return self

    async def receive(self, *rows: ConversationRow) -> None:
        await self._store(Batch(self._next(self.received, len(rows)), conversations=list(rows)))

    async def finish(self, *events: Outcome) -> None:
        insights = [event for event in events if isinstance(event, InsightProduced)]
        rows = [outcome_row(event) for event in events]
        places = self._places(events)
        await self._store(
            Batch(self._next(self.analyzed, len(events)), insights=insights, outcomes=rows, places=places)
        )

    async def start(self, *events: AnalysisStarted) -> None:
        await self._store(Batch(self._next(self.started, len(events)), started=list(events)))

    async def store_mixed(self, rows: Sequence[ConversationRow], events: Sequence[Outcome]) -> None:
        batch = Batch(
            self._next(self.received, len(rows)) | self._next(self.analyzed, len(events)),
            conversations=list(rows),
            insights=[event for event in events if isinstance(event, InsightProduced)],
            outcomes=[outcome_row(event) for event in events],
            places=self._places(events),
        )
        await self._store(batch)

    def _places(self, events: Sequence[Outcome]) -> dict[uuid.UUID, tuple[int, int]]:
        first = self.claims[self.analyzed].next_offset
        places: dict[uuid.UUID, tuple[int, int]] = {}
        for offset, event in enumerate(events, first):
            if isinstance(event, InsightProduced):
                places.setdefault(event.insight_id, (self.partition, offset))
        return places

    def _next(self, place: Place, count: int) -> dict[Place, int]:
        return {place: self.claims[place].next_offset + count}

    async def _store(self, batch: Batch) -> None:
        await self.store.store(batch, self.claims)
        for place, next_offset in batch.next_offsets.items():
            self.claims[place] = Claim(self.claims[place].epoch, next_offset)
