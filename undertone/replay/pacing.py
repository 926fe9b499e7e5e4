"""No more records a second than a person allows: the lane fills no faster than brokers and live traffic can bear."""

import asyncio
from collections.abc import Awaitable, Callable

_STEP_SECONDS = 0.1
_LARGEST_STEP = 500


class Pacer:
    """Lets `rate` records a second pass; 0 is no limit. An idle time gives no credit."""

    def __init__(
        self, rate: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()
        self.step = max(1, min(_LARGEST_STEP, int(rate * _STEP_SECONDS))) if rate else _LARGEST_STEP
        """How many to let pass at once."""

    async def wait(self, count: int) -> None:
        """Return when so many may pass."""
        if not self._rate:
            return
        now = self._clock()
        start = max(now, self._free_at)
        self._free_at = start + count / self._rate
        if start > now:
            await self._sleep(start - now)
