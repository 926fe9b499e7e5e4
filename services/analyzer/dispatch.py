"""When the next call goes out: the loop that waits for something ready, an open lane, the circuit and a permit.

Each analysis version is looked at by itself, since its engine has terms of its own: a version whose next permit is far
away keeps none waiting whose engine costs nothing. Further calls of a batch that was begun go before new batches; both
draw on the same permits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import LANES_IN_ORDER, BatchingWindow, Queue, Work
from services.analyzer.calls import Calls
from services.analyzer.holds import Holds
from services.analyzer.llm.breaker import Circuit
from services.analyzer.permissions import Permission, Permissions, Spending
from services.analyzer.probing import Probing
from services.analyzer.task_set import Tasks
from services.analyzer.terms import TermsByVersion
from services.runtime.waiting import happened

_LOOK_AGAIN_SECONDS = 0.5
"""What opens without waking the loop (a heartbeat, the control log) is seen this late."""


@dataclass(slots=True, eq=False)
class _Further:
    """A further call of a batch that was begun."""

    queue: Queue
    works: Sequence[Work[Arrival]]
    given: "asyncio.Future[Permission | None]"


class Dispatcher:
    """Closes windows at permits and starts one task a batch."""

    def __init__(
        self,
        *,
        terms: TermsByVersion,
        window: BatchingWindow[Arrival],
        holds: Holds,
        spending: Spending,
        probing: Probing,
        calls: Calls,
        tasks: Tasks,
        is_ready: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._terms = terms
        self._window = window
        self._probing = probing
        self._calls = calls
        self._tasks = tasks
        self._is_ready = is_ready
        self._clock = clock
        self._further: deque[_Further] = deque()
        self._wake = asyncio.Event()
        self._awaited: Collection[str] = ()
        """While the loop sleeps: versions whose next call it sleeps for, unless a batch of theirs is full earlier."""
        self._is_stopped = False
        self._permissions = Permissions(
            terms=terms,
            holds=holds,
            spending=spending,
            probing=probing,
            is_open=self._is_open,
            on_end=self.wake,
        )

    @property
    def calls_in_flight(self) -> int:
        """Calls that have not ended."""
        return self._permissions.calls_in_flight

    def note_waiting(self, queue: Queue) -> None:
        """Something more waits in a queue: wake the loop when that can change what it does."""
        if queue[1] not in self._awaited or self._window.is_full(queue):
            self._wake.set()

    def wake(self) -> None:
        """Something opened: look again."""
        self._wake.set()

    def stop(self) -> None:
        """Start no more calls."""
        self._is_stopped = True
        self.drop_further()
        self._wake.set()

    def drop_further(self) -> None:
        """Further calls are not sent: a rebalance, or the end."""
        while self._further:
            further = self._further.popleft()
            if not further.given.done():
                further.given.set_result(None)

    async def again(self, queue: Queue, works: Sequence[Work[Arrival]]) -> Permission | None:
        """Permission for a further call of a batch; None when a rebalance or the end comes first."""
        if not self._is_open():
            return None
        further = _Further(queue, works, asyncio.get_running_loop().create_future())
        self._further.append(further)
        self._wake.set()
        return await further.given

    def _is_open(self) -> bool:
        return not self._is_stopped and self._is_ready()

    def held_lanes(self) -> Collection[Lane]:
        """The lanes in which calls may not start now, under one version at least."""
        return {lane for version in self._terms for lane in self._permissions.held_lanes(version)}

    def is_stuck(self, version: str) -> bool:
        """Whether live calls under a version cannot start, for longer than its pace explains."""
        is_held = Lane.LIVE in self._permissions.held_lanes(version)
        return self._is_open() and (is_held or self._terms[version].breaker.circuit is not Circuit.CLOSED)

    def _open_queues(self, version: str) -> list[Queue]:
        held = self._permissions.held_lanes(version)
        return [(lane, version) for lane in LANES_IN_ORDER if lane not in held]

    async def run(self) -> None:
        """Until `stop`."""
        while not self._is_stopped:
            if self._nothing_to_probe_with():  # the others may have something, and must not wait for us
                self._probing.pass_by()
            waits = self._waits()
            ready = [version for version, wait in waits.items() if wait <= 0]
            if ready:
                self._start(ready)
            else:
                await self._sleep(waits)

    def _nothing_to_probe_with(self) -> bool:
        if not self._is_open() or not self._probing.is_our_turn():
            return False
        paid = [version for version, terms in self._terms.items() if terms.costs]
        queues = [(lane, version) for version in paid for lane in LANES_IN_ORDER]
        if any(set(LANES_IN_ORDER) & set(self._permissions.held_lanes(version)) for version in paid):
            return False
        return self._window.ready_at(queues) is None and not any(one.queue in queues for one in self._further)

    def _waits(self) -> Mapping[str, float]:
        """Seconds until the next call under each version; without those that only an event can help."""
        waits: dict[str, float] = {}
        for version in self._terms:
            queues = self._open_queues(version)
            ready_at = self._clock() if self._next_further(queues) else self._window.ready_at(queues)
            if ready_at is not None and (permitted := self._permissions.seconds_until(version)) is not None:
                waits[version] = max(ready_at - self._clock(), permitted)
        return waits

    async def _sleep(self, waits: Mapping[str, float]) -> None:
        self._awaited = waits.keys()
        self._wake.clear()
        await happened(self._wake, within_seconds=min((_LOOK_AGAIN_SECONDS, *waits.values())))
        self._awaited = ()

    def _next_further(self, queues: Collection[Queue]) -> _Further | None:
        return next((further for further in self._further if further.queue in queues), None)

    def _start(self, versions: Collection[str]) -> None:
        queues = [queue for version in versions for queue in self._open_queues(version)]
        further = self._next_further(queues)
        if further is not None:
            permission = self._permissions.take(further.queue, further.works)
            if permission is not None or self._permissions.affordable(further.queue, further.works) < len(
                further.works
            ):
                # Too dear for what is left of the day's budget: what is in it waits again, for smaller batches.
                self._further.remove(further)
                further.given.set_result(permission)
            return
        batch = self._window.close(self._clock(), queues)
        assert batch is not None, "a batch was ready a moment ago"
        queue = (batch.lane, batch.analysis_version)
        permission = self._permissions.take(queue, batch.works)
        if permission is None and (size := self._permissions.affordable(queue, batch.works)) < len(batch.works):
            self._send_again(batch.works[size:])
            batch = batch.first(size)
            permission = self._permissions.take(queue, batch.works)
        if permission is None:
            self._send_again(batch.works)
        else:
            self._tasks.spawn(self._calls.run(batch, permission, self))

    def _send_again(self, works: Sequence[Work[Arrival]]) -> None:
        for work in works:
            self._window.send_again(work)
