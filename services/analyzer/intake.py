"""From a record to the window: decode it, see whether it needs the engine, and let it wait.

One intake a lane. It waits for room (that is the back-pressure) and, at a record that a person must look at, for
that person; it never waits for an analysis.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import SkipReason
from schemas.envelope import Envelope
from schemas.event import Lane
from schemas.revisions import revision_of
from schemas.topics import RECEIVED, REPLAY, Topic
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import BatchingWindow
from services.analyzer.cache import FindingCache
from services.analyzer.engine import Finding, Task
from services.analyzer.gaps import Gaps, Verdict
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.metrics import CACHE_HITS, TOKENS_SAVED
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import insight_of, skipped
from services.analyzer.prefilter import Prefilter
from services.analyzer.undecodable_limit import UndecodableLimit
from services.runtime.logs import get_logger

_log = get_logger(__name__)

SUPERSEDED_RULE = 1
CACHED_BATCH = UUID(int=0)
"""The batch of an insight that no batch gave."""

TOPIC_OF_LANE: dict[Lane, Topic] = {Lane.LIVE: RECEIVED, Lane.REPLAY: REPLAY}


Ask = Callable[[Arrival, Task, Callable[[Finding | None], None]], None]


class Tasks(Protocol):
    """Runs something beside; what it raises ends the process."""

    def spawn(self, work: Coroutine[Any, Any, object]) -> None: ...


@dataclass(frozen=True, slots=True)
class Versions:
    """Under which versions conversations can be analysed here."""

    active: str
    known: frozenset[str]


class Intake:
    """Takes the records of one lane."""

    def __init__(
        self,
        lane: Lane,
        *,
        ledger: Ledger,
        gaps: Gaps[tuple[Lane, int]],
        read_again: Callable[[Lane, int, int], Awaitable[None]],
        window: BatchingWindow[Arrival],
        outbox: Outbox,
        cache: FindingCache,
        prefilter: Prefilter | None,
        versions: Versions,
        tasks: Tasks,
        estimate_tokens: Callable[[Task], int],
        on_waiting: Callable[[], None],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self.lane = lane
        self.undecodable = UndecodableLimit()
        self.is_taking = False
        """Whether a record is on its way in, be it that it waits for room."""
        self.recall: Ask | None = None
        """Asks whether a content is known elsewhere; None where nobody is asked."""
        self._topic = TOPIC_OF_LANE[lane]
        self._ledger = ledger
        self._gaps = gaps
        self._read_again = read_again
        self._window = window
        self._outbox = outbox
        self._cache = cache
        self._prefilter = prefilter
        self._versions = versions
        self._tasks = tasks
        self._estimate_tokens = estimate_tokens
        self._on_waiting = on_waiting
        self._clock = clock
        self._now = now

    async def take(self, record: RawRecord, acknowledge: Callable[[], object]) -> None:
        """Take a record in. It comes again when a rebalance or the end of the process comes first."""
        self.is_taking = True
        try:
            await self._take(record, acknowledge)
        finally:
            self.is_taking = False

    async def _take(self, record: RawRecord, acknowledge: Callable[[], object]) -> None:
        if not self._ledger.is_open or not await self._follows(record):
            return
        size = len(record.value or b"")
        place = await self._ledger.admit(self.lane, record.partition, record.offset, size, acknowledge)
        if place is None:
            return
        try:
            decoded = decode(record, self._topic)
        except UndecodableRecord as error:
            await self._put_aside(record, place, error)
            return
        self.undecodable.note(is_undecodable=False)
        assert isinstance(decoded.event, ConversationReceived)
        if self.lane is Lane.LIVE and decoded.envelope.lane == Lane.REPLAY:
            self._ledger.done(place)  # a bulk import: its copy on the replay lane is analysed in its place
            return
        version = await self._version_for(record, decoded.envelope, place)
        if version is not None:
            revision = revision_of(record, decoded.envelope)
            self._accept(Arrival(self.lane, record, place, decoded.event, decoded.envelope, revision, version))

    async def _follows(self, record: RawRecord) -> bool:
        """Whether nothing is missing before the record; else the partition is read again, and the record comes then."""
        partition = (self.lane, record.partition)
        verdict = self._gaps.judge(partition, record.offset)
        if verdict is Verdict.SEEK:
            expected = self._gaps.expected(partition)
            _log.warning(
                "offsets_missing",
                lane=self.lane.value,
                partition=record.partition,
                expected=expected,
                found=record.offset,
            )
            await self._read_again(self.lane, record.partition, expected)
        return verdict is Verdict.NEXT

    async def _put_aside(self, record: RawRecord, place: RecordPlace, error: UndecodableRecord) -> None:
        self.undecodable.note(is_undecodable=True)
        while self.undecodable.is_exceeded:
            reason = self.undecodable.describe()
            _log.error(
                "lane_held", lane=self.lane.value, reason=reason, partition=record.partition, offset=record.offset
            )
            if not await self._ledger.block(place, reason):
                return
        self._tasks.spawn(self._outbox.bury_undecodable(record, place, error.reason, error.detail))

    async def _version_for(self, record: RawRecord, envelope: Envelope, place: RecordPlace) -> str | None:
        """The version to analyse under; None when the record comes again. Holds the lane for an unknown version."""
        asked = envelope.analysis_version if self.lane is Lane.REPLAY else None
        while asked is not None and asked not in self._versions.known:
            reason = f"a record asks for the analysis version {asked[:64]}, which this analyzer does not have"
            _log.error(
                "lane_held", lane=self.lane.value, reason=reason, partition=record.partition, offset=record.offset
            )
            if not await self._ledger.block(place, reason):
                return None
        return asked or self._versions.active

    def _accept(self, arrival: Arrival) -> None:
        skip = self._prefilter.decide(arrival.conversation.turns) if self._prefilter is not None else None
        task = arrival.task()
        tokens = self._estimate_tokens(task)
        if skip is not None:
            TOKENS_SAVED.labels("prefilter").inc(tokens)
            self._skip(arrival, skip.reason, skip.rule_version)
            return
        finding = self._cache.get((arrival.conversation.content_hash, arrival.analysis_version))
        if finding is not None:
            self._known(arrival, finding, tokens, source="memory")
        elif self.recall is None:
            self._wait(arrival, task, tokens)
        else:
            self.recall(arrival, task, lambda known: self._recalled(arrival, task, tokens, known))

    def _recalled(self, arrival: Arrival, task: Task, tokens: int, known: Finding | None) -> None:
        """The sink was asked. A call for the same content may have ended meanwhile."""
        key = (arrival.conversation.content_hash, arrival.analysis_version)
        finding = self._cache.get(key)
        if finding is not None:
            self._known(arrival, finding, tokens, source="memory")
        elif known is not None:
            self._cache.put(key, known)
            self._known(arrival, known, tokens, source="sink")
        else:
            self._wait(arrival, task, tokens)

    def _known(self, arrival: Arrival, finding: Finding, tokens: int, *, source: str) -> None:
        CACHE_HITS.labels(source).inc()
        TOKENS_SAVED.labels("cache").inc(tokens)
        now = self._now()
        insight = insight_of(arrival, finding, batch_id=CACHED_BATCH, started_at=now, now=now, is_repeated=True)
        self._tasks.spawn(self._outbox.deliver(arrival, insight))

    def _wait(self, arrival: Arrival, task: Task, tokens: int) -> None:
        superseded = self._window.add(arrival, task, arrival.analysis_version, tokens=tokens, now=self._clock())
        for older in superseded:
            self._skip(older, SkipReason.SUPERSEDED, SUPERSEDED_RULE)
        self._on_waiting()

    def _skip(self, arrival: Arrival, reason: SkipReason, rule_version: int) -> None:
        self._tasks.spawn(self._outbox.deliver(arrival, skipped(arrival, reason, rule_version, self._now())))
