"""The circuit breaker: after some failed calls in a row no more are made for a while, then one, to see.

It counts outages only. A provider that asks for a pause (429) and one that refuses the key are not failures of calls.
"""

from collections.abc import Callable
from enum import IntEnum


class BreakerState(IntEnum):
    """The values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Closed: calls pass. Open: none until the cooldown is over. Half open: one at a time, its outcome decides."""

    def __init__(self, *, threshold: int, cooldown_seconds: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probe_is_out = False

    @property
    def state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._cooled_down() <= 0 else BreakerState.OPEN

    def _cooled_down(self) -> float:
        assert self._opened_at is not None
        return self._opened_at + self._cooldown_seconds - self._clock()

    def delay(self) -> float | None:
        """Seconds until a call may start; None while the probe is out: its outcome decides."""
        if self._opened_at is None:
            return 0.0
        return None if self._probe_is_out else max(0.0, self._cooled_down())

    def started(self) -> None:
        """A call starts."""
        self._probe_is_out = self._opened_at is not None

    def succeeded(self) -> None:
        """A call was answered, in whatever way: the provider is there."""
        self._failures = 0
        self._opened_at = None
        self._probe_is_out = False

    def failed(self) -> None:
        """A call failed by an outage."""
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._threshold:
            self._opened_at = self._clock()
        self._probe_is_out = False

    def abandoned(self) -> None:
        """A call ended without saying anything about the provider."""
        self._probe_is_out = False
