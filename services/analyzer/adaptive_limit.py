"""How many calls a second the fleet may make now. Pure.

The lowest of three: the configured limit; one that falls by a fifth when it was met (429) and rises again with
answers; and the one that the provider states in its headers.
"""

import math
from collections.abc import Callable
from typing import Final

SLOW_DOWN_SECONDS: Final = 5.0
"""Several calls that meet one limit slow down once."""
LEAST_PART: Final = 0.1
RISE_PART: Final = 0.0002
"""From four fifths back to all of it in a thousand calls: one call of a thousand may meet the limit again."""


class AdaptiveLimit:
    """0 configured is no limit: then only a stated one counts."""

    def __init__(self, calls_per_second: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._configured = self._adapted = calls_per_second
        self._stated = math.inf
        self._slowed_at = -math.inf

    @property
    def calls_per_second(self) -> float:
        """As it is now; 0 is none."""
        limit = min(self._adapted or math.inf, self._stated)
        return 0.0 if math.isinf(limit) else limit

    def slow_down(self) -> None:
        """It was met: a fifth less, once a while."""
        now = self._clock()
        if now - self._slowed_at >= SLOW_DOWN_SECONDS:
            self._slowed_at = now
            self._adapted = max(self._adapted * 0.8, self._configured * LEAST_PART)

    def answered(self) -> None:
        """A call was answered: a little more again, up to the configured limit."""
        self._adapted = min(self._adapted + self._configured * RISE_PART, self._configured)

    def state(self, calls_per_second: float | None) -> None:
        """The provider states a limit; None where it does not. It only lowers ours, to a tenth at the least."""
        stated = math.inf if calls_per_second is None else calls_per_second
        self._stated = max(stated, self._configured * LEAST_PART)
