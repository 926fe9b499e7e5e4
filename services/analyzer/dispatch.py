"""When the next batch goes out: the loop that waits for a ready batch, an open lane and a permit, in this order."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import LANES_IN_ORDER, Batch, BatchingWindow
from services.analyzer.breaker import Breaker
from services.analyzer.calls import Calls
from services.analyzer.holds import Holds
from services.analyzer.intake import Tasks
from services.analyzer.metrics import CALLS_IN_FLIGHT

_LOOK_AGAIN_SECONDS = 0.5
"""What opens without waking the loop (a heartbeat, the control log) is seen this late."""


class Permits(Protocol):
    """`pacing.Pacer` or `pacing.Unpaced`."""

    def delay(self) -> float | None: ...
    def take(self) -> bool: ...
    def charge(self, tokens: int) -> None: ...
    def settle(self, estimated_tokens: int, used_tokens: int) -> None: ...


class Dispatcher:
    """Closes windows at permits and starts one task a batch."""

    def __init__(
        self,
        *,
        window: BatchingWindow[Arrival],
        permits: Permits,
        holds: Holds,
        breaker: Breaker,
        calls: Calls,
        tasks: Tasks,
        is_ready: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._window = window
        self._permits = permits
        self._holds = holds
        self._breaker = breaker
        self._calls = calls
        self._tasks = tasks
        self._is_ready = is_ready
        self._clock = clock
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
        self._wake.set()

    def held_lanes(self) -> Collection[Lane]:
        """The lanes whose calls may not start now."""
        if self._is_stopped or self._calls.misconfigured is not None or not self._is_ready():
            return LANES_IN_ORDER
        return self._holds.active()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._is_stopped:
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
        ready_at = self._window.ready_at(held)
        if ready_at is None:
            return None
        permit, probe = self._permits.delay(), self._breaker.delay()
        if permit is None or probe is None:
            return None
        return max(ready_at - self._clock(), permit, probe)

    def _start(self, held: Collection[Lane]) -> None:
        if not self._permits.take():
            return
        batch = self._window.close(self._clock(), held)
        assert batch is not None, "a batch was ready a moment ago"
        self._permits.charge(batch.tokens)
        self._breaker.started()
        self.calls_in_flight += 1
        CALLS_IN_FLIGHT.set(self.calls_in_flight)
        self._tasks.spawn(self._run(batch))

    def _run(self, batch: Batch[Arrival]) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            used = batch.tokens
            try:
                usage = await self._calls.run(batch)
                used = usage.input_tokens + usage.output_tokens
            finally:
                self._permits.settle(batch.tokens, used)
                self.calls_in_flight -= 1
                CALLS_IN_FLIGHT.set(self.calls_in_flight)
                self.wake()

        return run()
