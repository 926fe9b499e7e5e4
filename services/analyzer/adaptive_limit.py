"""How many calls a second the fleet may make now. Pure.

The lowest of three: the configured limit; one that falls by a fifth when it was met (429) and rises again with time;
and the one that the provider states in its headers. All instances learn at the same time that a limit was met, and
what rises with time rises alike everywhere; answers would be counted differently by each.
"""

import math
from collections.abc import Callable
from typing import Final

SLOW_DOWN_SECONDS: Final = 5.0
"""Several calls that meet one limit slow down once."""
LEAST_PART: Final = 0.1
RISE_PART: Final = 0.0002
"""By call that the limit allows: from four fifths back to all of it while a thousand calls could be made."""


class AdaptiveLimit:
    """0 configured is no limit: then only a stated one counts."""

    def __init__(self, calls_per_second: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._configured = self._lowered = calls_per_second
        self._stated = math.inf
        self._slowed_at = clock() - SLOW_DOWN_SECONDS

    @property
    def calls_per_second(self) -> float:
        """As it is now; 0 is none."""
        return _finite(min(self._risen() or math.inf, self._stated))

    @property
    def agreed(self) -> float:
        """What the provider or the settings say, whatever was met; 0 is none."""
        return _finite(min(self._configured or math.inf, self._stated))

    def slow_down(self) -> None:
        """It was met: a fifth less, once a while."""
        now = self._clock()
        if now - self._slowed_at >= SLOW_DOWN_SECONDS:
            self._lowered = max(self._risen() * 0.8, self._configured * LEAST_PART)
            self._slowed_at = now

    def _risen(self) -> float:
        possible = self._configured * (self._clock() - self._slowed_at)
        return min(self._lowered + self._configured * RISE_PART * possible, self._configured)

    def state(self, calls_per_second: float | None) -> None:
        """The provider states a limit; None where it does not. It only lowers ours, to a tenth at the least."""
        stated = math.inf if calls_per_second is None else calls_per_second
        self._stated = max(stated, self._configured * LEAST_PART)


def _finite(limit: float) -> float:
    return 0.0 if math.isinf(limit) else limit
