"""Lines that strangers can cause are written within a budget: a flood of refusals must not fill the disk."""

from collections.abc import Callable
from time import monotonic


class LogBudget:
    """Allows `per_second` lines in each second."""

    def __init__(self, per_second: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._second = 0
        self._written = 0
        self._withheld = 0

    def spend(self) -> int | None:
        """None when this line must not be written; else how many were withheld since the last one."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self._per_second:
            self._withheld += 1
            return None
        self._written += 1
        withheld, self._withheld = self._withheld, 0
        return withheld
