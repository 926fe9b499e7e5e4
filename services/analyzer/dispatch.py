"""When the next call goes out: the loop that waits for something ready, an open lane, the circuit and a permit.

Further calls of a batch that was begun go before new batches; both draw on the same permits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Permission
from services.analyzer.batching import LANES_IN_ORDER, Batch, BatchingWindow, Work
from services.analyzer.budget import Charge
from services.analyzer.calls import Calls
from services.analyzer.engine import CallEnd, Task
from services.analyzer.holds import Holds
from services.analyzer.intake import Tasks
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.llm.breaker import Permit as CircuitPermit
from services.analyzer.metrics import CALLS_IN_FLIGHT
from services.analyzer.pacing import CallPermit

_LOOK_AGAIN_SECONDS = 0.5
"""What opens without waking the loop (a heartbeat, the control log) is seen this late."""


class Permits(Protocol):
    """`pacing.Pacer` or `unpaced.Unpaced`."""

    def delay(self) -> float | None: ...
    def take(self) -> CallPermit | None: ...
    def start(self, permit: CallPermit) -> float | None: ...
    def sent(self, permit: CallPermit) -> None: ...
    def charge(self, tokens: int) -> None: ...
    def settle(self, estimated_tokens: int, used_tokens: int) -> None: ...
    def answered(self) -> None: ...


class Spending(Protocol):
    """`spending.Spending`."""

    def take(self, lane: Lane, tasks: Sequence[Task]) -> Charge | None: ...
    def release(self, charge: Charge, spent_usd: float | None) -> None: ...
    def short_lanes(self) -> Collection[Lane]: ...


@dataclass(slots=True, eq=False)
class _Further:
    """A further call of a batch that was begun."""

    lane: Lane
    works: Sequence[Work[Arrival]]
    given: "asyncio.Future[Permission | None]"


class Dispatcher:
    """Closes windows at permits and starts one task a batch."""

    def __init__(
        self,
        *,
        window: BatchingWindow[Arrival],
        permits: Permits,
        holds: Holds,
        spending: Spending,
        breaker: CircuitBreaker,
        calls: Calls,
        tasks: Tasks,
        is_ready: Callable[[], bool],
        is_prober: Callable[[], bool],
        on_probe_answered: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._window = window
        self._permits = permits
        self._holds = holds
        self._spending = spending
        self._breaker = breaker
        self._calls = calls
        self._tasks = tasks
        self._is_ready = is_ready
        self._is_prober = is_prober
        self._on_probe_answered = on_probe_answered
        self._is_probing = False
        """Our probe after a hold is out, or was answered and the log does not say so yet."""
        self._clock = clock
        self._further: deque[_Further] = deque()
        self._wake = asyncio.Event()
        self._sleeps_until_full = False
        self._is_stopped = False
        self.calls_in_flight = 0

    def note_waiting(self) -> None:
        """Something waits that did not: wake the loop when that can change what it does."""
        if not self._sleeps_until_full or any(
            self._window.waiting(lane) >= self._window.size.current for lane in LANES_IN_ORDER
        ):
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

    async def again(self, lane: Lane, works: Sequence[Work[Arrival]]) -> Permission | None:
        """Permission for a further call of a batch; None when a rebalance or the end comes first."""
        if self._is_stopped or not self._is_ready():
            return None
        further = _Further(lane, works, asyncio.get_running_loop().create_future())
        self._further.append(further)
        self._wake.set()
        return await further.given

    def held_lanes(self) -> Collection[Lane]:
        """The lanes whose calls may not start now."""
        if self._is_stopped or not self._is_ready() or self._waits_for_probe():
            return LANES_IN_ORDER
        return {*self._holds.active(), *self._spending.short_lanes()}

    def _waits_for_probe(self) -> bool:
        if not self._holds.awaits_probe():
            self._is_probing = False
            return False
        return self._is_probing or not self._is_prober()

    def _nothing_to_probe_with(self) -> bool:
        is_our_turn = self._holds.awaits_probe() and not self.held_lanes()
        return is_our_turn and not self._further and self._window.ready_at(()) is None

    async def run(self) -> None:
        """Until `stop`."""
        while not self._is_stopped:
            if self._nothing_to_probe_with():  # the others may have something, and must not wait for us
                self._is_probing = True
                self._on_probe_answered()
            held = self.held_lanes()
            wait = self._until_next(held)
            if wait is not None and wait <= 0:
                self._start(held)
                continue
            self._sleeps_until_full = wait is not None
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS if wait is None else min(wait, _LOOK_AGAIN_SECONDS)):
                    await self._wake.wait()
            self._sleeps_until_full = False

    def _until_next(self, held: Collection[Lane]) -> float | None:
        ready_at = self._clock() if self._next_further(held) else self._window.ready_at(held)
        if ready_at is None:
            return None
        permit, circuit = self._permits.delay(), self._breaker.seconds_until_call()
        if permit is None or circuit is None:
            return None
        return max(ready_at - self._clock(), permit, circuit)

    def _next_further(self, held: Collection[Lane]) -> _Further | None:
        return next((further for further in self._further if further.lane not in held), None)

    def _start(self, held: Collection[Lane]) -> None:
        further = self._next_further(held)
        if further is not None:
            permission = self._permission(further.lane, further.works)
            if permission is not None:
                self._further.remove(further)
                further.given.set_result(permission)
            return
        batch = self._window.close(self._clock(), held)
        assert batch is not None, "a batch was ready a moment ago"
        permission = self._permission(batch.lane, batch.works)
        if permission is None:
            self._put_back(batch)
        else:
            self._tasks.spawn(self._calls.run(batch, permission, self))

    def _put_back(self, batch: Batch[Arrival]) -> None:
        for work in batch.works:
            self._window.send_again(work)

    def _permission(self, lane: Lane, works: Sequence[Work[Arrival]]) -> Permission | None:
        """Money, circuit and permit for one call; None when one is missing."""
        charge = self._spending.take(lane, [work.task for work in works])
        if charge is None:
            return None
        circuit = self._breaker.start()
        permit = self._permits.take() if circuit is not None else None
        if circuit is None or permit is None:
            if circuit is not None:
                self._breaker.abandoned(circuit)
            self._spending.release(charge, 0.0)
            return None
        return self._permitted(lane, circuit, permit, charge, sum(work.tokens for work in works))

    def _permitted(
        self, lane: Lane, circuit: CircuitPermit, permit: CallPermit, charge: Charge, tokens: int
    ) -> Permission:
        self._permits.charge(tokens)
        self._count_calls(1)
        is_probe = self._is_probing = self._holds.awaits_probe()

        def start() -> float | None:
            if self._is_stopped or not self._is_ready() or lane in self._holds.active():
                return None
            return self._permits.start(permit)

        def ended(end: CallEnd) -> None:
            usage = end.usage
            used = tokens if usage is None else usage.input_tokens + usage.output_tokens
            self._permits.settle(tokens, used)
            self._spending.release(charge, _spent_usd(end))
            self._count_calls(-1)
            if usage is None or not end.is_sent:
                self._breaker.abandoned(circuit)
            elif used:
                self._permits.answered()
            if is_probe:
                self._is_probing = end.is_answered
                if end.is_answered:
                    self._on_probe_answered()
            self.wake()

        return Permission(circuit, start, lambda: self._permits.sent(permit), ended)

    def _count_calls(self, change: int) -> None:
        self.calls_in_flight += change
        CALLS_IN_FLIGHT.set(self.calls_in_flight)


def _spent_usd(end: CallEnd) -> float | None:
    """What a call cost; None when nobody knows: it was lost on the way, or the provider does not say."""
    if end.usage is None or not end.is_cost_known:
        return None
    is_stated = end.usage.input_tokens or end.usage.output_tokens or end.usage.cost_usd
    return None if end.is_answered and not is_stated else end.usage.cost_usd
