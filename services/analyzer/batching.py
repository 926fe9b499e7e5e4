"""What waits for a call, and which of it goes into the next one.

The window closes at the permit: when a call may start, the batch is all that waits, oldest first, up to the adaptive
maximum and the token budget, as soon as the oldest has waited long enough or the batch is full. So a burst becomes
large batches and idle work goes out at once. A batch has one lane and one analysis version; live goes before replay.

Work is one content under one version, whoever waits for it: several records with the same content are one work with
several waiters, from the moment it waits until its call has ended. Of several revisions of one conversation that wait
in a lane only the newest is analysed.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from schemas.analysis_failed import FailureReason
from schemas.event import Lane, Revision
from services.analyzer.batch_size import BatchSizes
from services.analyzer.engine import NOTHING, Task, Usage

ContentKey = tuple[str, str]
"""(content_hash, analysis_version)"""
Queue = tuple[Lane, str]
"""(lane, analysis_version)"""

LANES_IN_ORDER = (Lane.LIVE, Lane.REPLAY)


class Waiter(Protocol):
    """Who waits for a work: one record."""

    @property
    def lane(self) -> Lane: ...
    @property
    def conversation_id(self) -> str: ...
    @property
    def revision(self) -> Revision: ...


W = TypeVar("W", bound=Waiter)


@dataclass(slots=True, eq=False)
class Work(Generic[W]):
    """One content to analyse under one version."""

    analysis_version: str
    lane: Lane
    task: Task
    tokens: int
    """Estimated tokens of its part of the prompt."""
    arrived_at: float
    waiters: list[W]
    lone_outages: int = 0
    """Calls with this work alone in them that an outage ended, while others were answered."""
    calls: int = 0
    """Calls that it was in."""
    spent: Usage = NOTHING
    """Its part of what those used of which nothing came: its outcome carries it."""
    last_failure: FailureReason | None = None
    """What was last said of it."""
    outages: int = 0
    """Calls with it that failed by an outage; the wait before the next one grows with them."""
    is_waiting: bool = True
    """False once it is in a call (and when nobody waits for it any more)."""

    @property
    def key(self) -> ContentKey:
        return (self.task.content_hash, self.analysis_version)

    @property
    def queue(self) -> Queue:
        return (self.lane, self.analysis_version)


@dataclass(slots=True)
class Batch(Generic[W]):
    """Works of one lane and one version that one call analyses."""

    lane: Lane
    analysis_version: str
    works: list[Work[W]]
    tokens: int
    is_full: bool

    def first(self, count: int) -> "Batch[W]":
        """A smaller one."""
        works = self.works[:count]
        return Batch(self.lane, self.analysis_version, works, sum(work.tokens for work in works), is_full=False)


@dataclass(slots=True)
class _Queued(Generic[W]):
    """One queue: a heap by arrival. Works that left it are dropped when they come up."""

    heap: list[tuple[float, int, Work[W]]] = field(default_factory=list)
    waiting: int = 0

    def oldest(self, queue: Queue) -> Work[W] | None:
        while self.heap:
            work = self.heap[0][2]
            if work.is_waiting and work.queue == queue:
                return work
            heapq.heappop(self.heap)
        return None


class BatchingWindow(Generic[W]):
    """Waiting work of all lanes and versions, and the works in calls that others may join."""

    def __init__(self, *, window_seconds: float, sizes: BatchSizes, token_budget: int) -> None:
        self.sizes = sizes
        self._window_seconds = window_seconds
        self._token_budget = token_budget
        self._queues: dict[Queue, _Queued[W]] = {}
        self._works: dict[ContentKey, Work[W]] = {}
        self._newest: dict[tuple[Lane, str, str], tuple[W, Work[W]]] = {}
        self._added = 0

    def add(self, waiter: W, task: Task, analysis_version: str, *, tokens: int, now: float) -> list[W]:
        """Let a record wait for its analysis; returns who was superseded by it (or itself, by a newer one)."""
        superseded = self._supersede(waiter, analysis_version)
        if waiter in superseded:
            return superseded
        work = self._works.get((task.content_hash, analysis_version))
        if work is None:
            work = Work(analysis_version, waiter.lane, task, tokens, now, [waiter])
            self._works[work.key] = work
            self._enqueue(work)
        else:
            work.waiters.append(waiter)
            if work.is_waiting and waiter.lane is Lane.LIVE and work.lane is not Lane.LIVE:
                self._promote(work)
        if work.is_waiting:
            self._newest[waiter.lane, analysis_version, waiter.conversation_id] = (waiter, work)
        return superseded

    def _supersede(self, waiter: W, analysis_version: str) -> list[W]:
        name = (waiter.lane, analysis_version, waiter.conversation_id)
        waiting = self._newest.get(name)
        if waiting is None:
            return []
        other, work = waiting
        if other.revision > waiter.revision:
            return [waiter]
        if other.revision == waiter.revision:
            return []
        del self._newest[name]
        self._remove_waiter(other, work)
        return [other]

    def _remove_waiter(self, waiter: W, work: Work[W]) -> None:
        work.waiters.remove(waiter)
        if not work.waiters:
            self._queues[work.queue].waiting -= 1
            work.is_waiting = False
            del self._works[work.key]

    def _promote(self, work: Work[W]) -> None:
        """Somebody live waits for what only a replay waited for: it goes with the live lane."""
        self._queues[work.queue].waiting -= 1
        work.lane = Lane.LIVE
        self._enqueue(work)

    def _enqueue(self, work: Work[W]) -> None:
        queued = self._queues.setdefault(work.queue, _Queued())
        self._added += 1
        heapq.heappush(queued.heap, (work.arrived_at, self._added, work))
        queued.waiting += 1

    def ready_at(self, queues: Iterable[Queue]) -> float | None:
        """When the next batch of these may close, in the caller's clock (past times mean now); None: nothing waits."""
        times = (self._queue_ready_at(queue) for queue in queues)
        return min((time for time in times if time is not None), default=None)

    def _queue_ready_at(self, queue: Queue) -> float | None:
        queued = self._queues.get(queue)
        oldest = queued.oldest(queue) if queued is not None else None
        if oldest is None:
            return None
        return oldest.arrived_at if self.is_full(queue) else oldest.arrived_at + self._window_seconds

    def is_full(self, queue: Queue) -> bool:
        """Whether as much waits in a queue as goes into a batch."""
        queued = self._queues.get(queue)
        return queued is not None and queued.waiting >= self.sizes.of(queue[1]).current

    def close(self, now: float, queues: Iterable[Queue]) -> Batch[W] | None:
        """The next batch of these, live before replay, or None when none is ready."""
        ready = [
            (LANES_IN_ORDER.index(queue[0]), at, queue)
            for queue in queues
            if (at := self._queue_ready_at(queue)) is not None and at <= now
        ]
        return self._take(min(ready)[2]) if ready else None

    def _take(self, queue: Queue) -> Batch[W]:
        queued = self._queues[queue]
        most = self.sizes.of(queue[1]).current
        works: list[Work[W]] = []
        tokens = 0
        while len(works) < most and (work := queued.oldest(queue)) is not None:
            if works and tokens + work.tokens > self._token_budget:
                break
            heapq.heappop(queued.heap)
            self._sent(work)
            works.append(work)
            tokens += work.tokens
        queued.waiting -= len(works)
        return Batch(queue[0], queue[1], works, tokens, is_full=len(works) >= most)

    def _sent(self, work: Work[W]) -> None:
        work.is_waiting = False
        for waiter in work.waiters:
            name = (waiter.lane, work.analysis_version, waiter.conversation_id)
            if name in self._newest and self._newest[name][1] is work:
                del self._newest[name]

    def finish(self, work: Work[W]) -> None:
        """Its call ended and everybody who waited was answered: the same content would be a new work."""
        if self._works.get(work.key) is work:
            del self._works[work.key]

    def send_again(self, work: Work[W]) -> None:
        """Its call failed: it waits again, in the place that its arrival gives it. Not after its generation ended."""
        work.is_waiting = True
        self._works[work.key] = work
        self._enqueue(work)
        for waiter in work.waiters:
            self._newest.setdefault((waiter.lane, work.analysis_version, waiter.conversation_id), (waiter, work))

    def drop_waiting(self) -> int:
        """Forget what is in no call (its records come again) and return how many works that were."""
        waiting = [work for work in self._works.values() if work.is_waiting]
        for work in waiting:
            work.is_waiting = False
            del self._works[work.key]
        self._queues.clear()
        self._newest.clear()
        return len(waiting)

    def give_up(self, queue: Queue, is_unwanted: Callable[[W], bool]) -> list[W]:
        """Let go of those in a queue who need not be answered, and return them. What is in a call is left alone."""
        works = [work for work in self._works.values() if work.is_waiting and work.queue == queue]
        given_up = [(waiter, work) for work in works for waiter in work.waiters if is_unwanted(waiter)]
        for waiter, work in given_up:
            self._newest.pop((waiter.lane, work.analysis_version, waiter.conversation_id), None)
            self._remove_waiter(waiter, work)
        return [waiter for waiter, _ in given_up]

    def waiting(self, lane: Lane) -> int:
        """How many works of a lane are in no call."""
        return sum(queued.waiting for queue, queued in self._queues.items() if queue[0] is lane)

    def oldest_arrival(self) -> float | None:
        """When the work that has waited longest arrived."""
        oldest = (queued.oldest(queue) for queue, queued in self._queues.items())
        return min((work.arrived_at for work in oldest if work is not None), default=None)
