"""Between a record and the window: is its content known to the sink already? Then it is not paid for again.

Records that wait are asked for together, one look-up at a time and lane. After an assignment a partition's records
wait at a barrier until the sink has stored the outcomes that the partition's topic held at that moment: only then a
look-up sees what the previous owner published. A sink that does not answer is waited for, for a while; then work goes
on without it, and is counted.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import LANES_IN_ORDER, ContentKey
from services.analyzer.engine import Finding, Task
from services.analyzer.ledger import Ledger
from services.analyzer.lookup import PAIRS_AT_ONCE, Known, LookupFailed
from services.analyzer.metrics import BARRIERS, LOOKUPS, NOT_LOOKED_UP
from services.analyzer.task_set import Tasks
from services.runtime.logs import get_logger
from services.runtime.waiting import happened

_log = get_logger(__name__)

_RETRY_SECONDS: Final = 0.25

Ends = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
"""The end offsets of partitions of the topic of outcomes. Raises KafkaError."""


class Lookup(Protocol):
    """`lookup.SinkLookup`."""

    async def look_up(self, keys: Sequence[ContentKey]) -> Known: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One record whose content may be known; `answered` is told the finding, or None."""

    arrival: Arrival
    task: Task
    answered: Callable[[Finding | None], None]

    @property
    def key(self) -> ContentKey:
        return (self.task.content_hash, self.arrival.analysis_version)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sink that does not answer is waited for; `is_required` is for ever."""

    wait_seconds: float
    is_required: bool


class Recall:
    """Asks for records of both lanes, each in its order."""

    def __init__(
        self,
        *,
        lookup: Lookup,
        ends: Ends,
        patience: Patience,
        ledger: Ledger,
        tasks: Tasks,
        clock: Callable[[], float],
    ) -> None:
        self._lookup = lookup
        self._ends = ends
        self._patience = patience
        self._ledger = ledger
        self._tasks = tasks
        self._clock = clock
        self._waiting: dict[Lane, deque[Asked]] = {lane: deque() for lane in LANES_IN_ORDER}
        self._at_work: set[Lane] = set()
        self._behind: set[int] = set()
        """Partitions whose outcomes are not all stored yet."""
        self._generation = 0
        self._changed = asyncio.Event()
        self._failing_since: float | None = None
        self.reason: str | None = None
        """Why the sink does not answer; None while it does."""

    @property
    def is_ready(self) -> bool:
        """False while a required look-up does not answer."""
        return self.reason is None or not self._patience.is_required

    def ask(self, arrival: Arrival, task: Task, answered: Callable[[Finding | None], None]) -> None:
        """Tell `answered` what is known, once it is known; never, when the record comes again instead."""
        lane = arrival.lane
        self._waiting[lane].append(Asked(arrival, task, answered))
        if lane not in self._at_work:
            self._at_work.add(lane)
            self._tasks.spawn(self._work(lane))

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours: their first records wait for the outcomes of before."""
        self._behind = set(partitions)
        self._tasks.spawn(self._store(self._generation))

    def drop(self) -> None:
        """A rebalance, or the end: what waits comes again."""
        self._generation += 1
        self._behind.clear()
        for waiting in self._waiting.values():
            waiting.clear()
        self._changed.set()

    async def _work(self, lane: Lane) -> None:
        waiting = self._waiting[lane]
        try:
            while waiting:
                batch = self._next(lane)
                if batch:
                    await self._answer(batch)
                else:
                    await self._change()
        finally:
            self._at_work.discard(lane)

    def _next(self, lane: Lane) -> list[Asked]:
        """The oldest that are behind no barrier."""
        batch: list[Asked] = []
        kept: list[Asked] = []
        for asked in self._waiting[lane]:
            is_next = len(batch) < PAIRS_AT_ONCE and asked.arrival.record.partition not in self._behind
            (batch if is_next else kept).append(asked)
        self._waiting[lane].clear()
        self._waiting[lane].extend(kept)
        return batch

    async def _answer(self, batch: list[Asked]) -> None:
        findings = await self._findings(list({asked.key: None for asked in batch}), len(batch))
        for asked in batch:
            if self._ledger.is_current(asked.arrival.place):
                asked.answered(findings.get(asked.key))

    async def _findings(self, keys: list[ContentKey], records: int) -> Mapping[ContentKey, Finding]:
        generation = self._generation
        while generation == self._generation:
            known = await self._try(keys)
            if known is not None:
                return known.findings
            if self._is_given_up():
                NOT_LOOKED_UP.inc(records)
                return {}
            await self._change()
        return {}

    async def _store(self, generation: int) -> None:
        """Open the barrier of each partition once its outcomes are stored, of all when that takes too long."""
        began, ends = self._clock(), None
        while generation == self._generation and self._behind:
            with suppress(KafkaError, OSError):
                ends = ends or await self._ends(self._behind)
            if ends is not None and generation == self._generation:
                await self._open(ends, generation)
            if generation != self._generation or not self._behind:
                return
            if not self._patience.is_required and self._clock() - began >= self._patience.wait_seconds:
                _log.warning("storage_barrier_passed", partitions=sorted(self._behind), reason=self.reason)
                BARRIERS.labels("timed_out").inc(len(self._behind))
                self._behind.clear()
                self._changed.set()
                return
            await self._change()

    async def _open(self, ends: Mapping[int, int], generation: int) -> None:
        stored: Mapping[int, int] = {}
        if any(ends.get(partition, 0) for partition in self._behind):
            known = await self._try([])
            stored = known.stored_offsets if known is not None else {}
        if generation != self._generation:
            return
        done = {partition for partition in self._behind if stored.get(partition, 0) >= ends.get(partition, 0)}
        if done:
            BARRIERS.labels("stored").inc(len(done))
            self._behind -= done
            self._changed.set()

    async def _try(self, keys: Sequence[ContentKey]) -> Known | None:
        """One look-up; None when the sink does not answer."""
        try:
            known = await self._lookup.look_up(keys)
        except LookupFailed as error:
            LOOKUPS.labels("failed").inc()
            if self._failing_since is None or self.reason != str(error):
                _log.warning("lookup_failed", reason=str(error), required=self._patience.is_required)
            self._failing_since = self._failing_since or self._clock()
            self.reason = str(error)
            return None
        LOOKUPS.labels("answered").inc()
        if self._failing_since is not None:
            _log.info("lookup_answers_again")
        self._failing_since = self.reason = None
        return known

    def _is_given_up(self) -> bool:
        if self._patience.is_required or self._failing_since is None:
            return False
        return self._clock() - self._failing_since >= self._patience.wait_seconds

    async def _change(self) -> None:
        """Until something changes, or it is time to try again."""
        self._changed.clear()
        await happened(self._changed, within_seconds=_RETRY_SECONDS)
