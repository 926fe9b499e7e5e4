"""How fast calls may come, by what a provider states in the headers of its answers. Pure.

Providers state how many calls (or tokens) they grant and when the count is reset, but not over which time it runs.
So the granted is divided by the longest reset seen. For a fixed or a sliding window that is its rate, from the first
answer early in a window on. Of a bucket that fills steadily the reset tells when it is full, so the figure is too
high while the bucket is nearly full, which harms nobody, and comes down to the rate as it empties.
"""

from dataclasses import dataclass, field

from services.analyzer.llm.headers import RateLimits

LONGEST_WINDOW_SECONDS = 60.0
"""A longer one (a day's allowance) says nothing about the pace of calls."""


@dataclass(slots=True)
class _Granted:
    most: int | None = None
    longest_reset: float = 0.0

    def note(self, most: int | None, reset_seconds: float | None) -> None:
        if not most:
            return
        if most != self.most:
            self.most, self.longest_reset = most, 0.0
        if reset_seconds is not None and self.longest_reset < reset_seconds <= LONGEST_WINDOW_SECONDS:
            self.longest_reset = reset_seconds

    @property
    def per_second(self) -> float | None:
        return self.most / self.longest_reset if self.most and self.longest_reset else None


@dataclass(slots=True)
class StatedLimits:
    """Remembers what was stated; None where nothing usable was."""

    _calls: _Granted = field(default_factory=_Granted)
    _tokens: _Granted = field(default_factory=_Granted)

    def note(self, limits: RateLimits) -> None:
        """An answer said so. What makes no sense is passed over."""
        self._calls.note(limits.requests, limits.requests_reset_seconds)
        self._tokens.note(limits.tokens, limits.tokens_reset_seconds)

    @property
    def calls_per_second(self) -> float | None:
        """Calls, of whoever uses the key."""
        return self._calls.per_second

    @property
    def tokens_per_minute(self) -> float | None:
        """Tokens, likewise."""
        rate = self._tokens.per_second
        return None if rate is None else rate * 60
