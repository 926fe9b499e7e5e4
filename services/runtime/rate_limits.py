"""How much is let in: a token bucket for the instance, a sliding window for each client. Pure, with a given clock.

In memory these few lines do it rather than throttled-py, which counts in Redis (`redis_windows.py`): both are on the
path of every post, and a call costs 1.7 µs here and 4.9 µs there (bucket), 1.9 and 5.4 µs (window), as
`python -m benchmarks.limits_cost` measures. The windows count alike, so that a client sees the same limit in both.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, Self

_WINDOW_FORM = re.compile(r"^(\d{1,9})/(\d{1,6})s$")
_MAX_CLIENTS = 50_000
"""Clients remembered at once, the latest; a flood of addresses must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is let in. `remaining` more would be now; `wait_seconds` until the next one is let in."""

    is_allowed: bool
    limit: int
    window_seconds: int
    remaining: int
    wait_seconds: float = 0.0

    @property
    def retry_after(self) -> int:
        """Whole seconds to wait, at least one."""
        return max(1, math.ceil(self.wait_seconds))


class TokenBucket:
    """Lets `rate_per_second` requests in on average and `burst` at once."""

    def __init__(self, rate_per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate_per_second
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def take(self) -> Verdict:
        """Take one token, if there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        window = max(1, round(self._burst / self._rate))
        if self._tokens >= 1:
            self._tokens -= 1
            return Verdict(is_allowed=True, limit=self._burst, window_seconds=window, remaining=int(self._tokens))
        return Verdict(
            is_allowed=False,
            limit=self._burst,
            window_seconds=window,
            remaining=0,
            wait_seconds=(1 - self._tokens) / self._rate,
        )


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `60/60s`; `off` or nothing means no limit. Raises ValueError."""
        if text.strip().lower() in {"", "off"}:
            return None
        match = _WINDOW_FORM.match(text.strip())
        if match is None or int(match[1]) < 1 or int(match[2]) < 1:
            raise ValueError("must be REQUESTS/SECONDSs, such as 60/60s, or off")
        return cls(int(match[1]), int(match[2]))


class ClientLimiter(Protocol):
    """Counts requests of clients; in memory, or where several instances share it."""

    @property
    def description(self) -> str:
        """Where the counts stand, for health."""
        ...

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        """Count a request of a client, if it is let in."""
        ...

    async def aclose(self) -> None:
        """Give back what was opened."""
        ...


@dataclass(slots=True)
class _Counts:
    window: int
    current: int = 0
    previous: int = 0


class SlidingWindows:
    """A sliding window a client, in memory: two counters each, the older one weighed by how much of it still counts.

    The estimate assumes that the older window's requests came evenly (the method that Cloudflare described in
    "How we built rate limiting capable of scaling to millions of domains", 2017), and is rounded down: the last
    second of a window must not cost a client its first request of the next.
    """

    description = "memory"

    def __init__(self, clock: Callable[[], float] = monotonic, max_clients: int = _MAX_CLIENTS) -> None:
        self._clock = clock
        self._max_clients = max_clients
        self._clients: OrderedDict[tuple[str, WindowLimit], _Counts] = OrderedDict()

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        """Count a request of a client, if it is let in."""
        return self.count(client, limit)

    async def aclose(self) -> None:
        """Nothing was opened."""

    def count(self, client: str, limit: WindowLimit) -> Verdict:
        """As `take`, at once."""
        now = self._clock()
        counts = self._counts_of((client, limit), int(now // limit.seconds))
        passed = now % limit.seconds / limit.seconds
        used = int(counts.previous * (1 - passed)) + counts.current
        if used >= limit.requests:
            wait = _seconds_until_free(counts, limit, passed)
            return Verdict(
                is_allowed=False, limit=limit.requests, window_seconds=limit.seconds, remaining=0, wait_seconds=wait
            )
        counts.current += 1
        return Verdict(
            is_allowed=True,
            limit=limit.requests,
            window_seconds=limit.seconds,
            remaining=limit.requests - used - 1,
        )

    def _counts_of(self, key: tuple[str, WindowLimit], window: int) -> _Counts:
        counts = self._clients.get(key)
        if counts is None:
            counts = self._clients[key] = _Counts(window)
            if len(self._clients) > self._max_clients:
                self._clients.popitem(last=False)
        elif counts.window != window:
            counts.previous = counts.current if counts.window == window - 1 else 0
            counts.current = 0
            counts.window = window
        self._clients.move_to_end(key)
        return counts


def _seconds_until_free(counts: _Counts, limit: WindowLimit, passed: float) -> float:
    """When the weighed count leaves room for one more, if nothing else comes."""
    room = limit.requests - 1 - counts.current
    if room < 0:  # full by this window's own requests: at its end they begin to count less
        return (1 - passed) * limit.seconds
    needed = 1 - (room + 1) / counts.previous
    return max(0.0, needed - passed) * limit.seconds
