"""What the simulator saw: its own count of calls, which no client can embellish."""

import hashlib
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_SECOND = 1.0
_MINUTE = 60.0


class Statistics:
    """Counts arrivals in sliding seconds, outcomes, conversations by content, tokens and cost."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._last: float | None = None
        self._arrivals: deque[float] = deque()
        self._granted: deque[float] = deque()
        self._spent: deque[tuple[float, int]] = deque()
        self._busiest_second = 0
        self._busiest_call = 0
        self._in_progress = 0
        self._most_in_progress = 0
        self.calls = 0
        self.outcomes: Counter[str] = Counter()
        self.contents: Counter[str] = Counter()
        """How often each conversation was answered, by `content_digest` of its text in the prompt."""
        self.batch_sizes: Counter[int] = Counter()
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.instruction_tokens = 0
        self.cost_usd = 0.0

    def arrived(self) -> int:
        """A call arrives now; its number, from 1."""
        now = self._clock()
        self._began = self._began if self._began is not None else now
        self._last = now
        self._arrivals.append(now)
        _forget(self._arrivals, now - _SECOND)
        self.calls += 1
        if len(self._arrivals) > self._busiest_second:
            self._busiest_second, self._busiest_call = len(self._arrivals), self.calls
        self._in_progress += 1
        self._most_in_progress = max(self._most_in_progress, self._in_progress)
        return self.calls

    def ended(self, outcome: str) -> None:
        """The call ended so."""
        self._in_progress -= 1
        self.outcomes[outcome] += 1

    @property
    def last_arrival(self) -> float:
        """When the last call arrived, by the clock."""
        return self._clock() if self._last is None else self._last

    def granted_in_last_second(self, at: float | None = None) -> int:
        """Calls that were let through and arrived within the second before `at`; by default before now."""
        _forget(self._granted, (self._clock() if at is None else at) - _SECOND)
        return len(self._granted)

    def grant(self, at: float | None = None) -> None:
        """The call that arrived at `at` is let through. Its body may have come later: that is not held against it."""
        insort(self._granted, self._clock() if at is None else at)

    def seconds_until_grant(self, calls_per_second: float, at: float | None = None) -> float:
        """How long until one more call fits into the sliding second, for one that arrived at `at`."""
        at = self._clock() if at is None else at
        excess = self.granted_in_last_second(at) - int(calls_per_second)
        return max(0.0, self._granted[excess] + _SECOND - at) if excess >= 0 and self._granted else 0.0

    def tokens_in_last_minute(self) -> int:
        """Tokens of answers within the last minute."""
        while self._spent and self._spent[0][0] <= self._clock() - _MINUTE:
            self._spent.popleft()
        return sum(tokens for _, tokens in self._spent)

    def answered(
        self, bodies: Sequence[str], usage: Mapping[str, Any], *, instruction_tokens: int, cost_usd: float
    ) -> None:
        """A completion is sent for these conversations."""
        self.instruction_tokens += instruction_tokens
        self.contents.update(content_digest(body) for body in bodies)
        self.batch_sizes[len(bodies)] += 1
        self.prompt_tokens += usage["prompt_tokens"]
        self.cached_tokens += usage["prompt_tokens_details"]["cached_tokens"]
        self.output_tokens += usage["completion_tokens"]
        self.cost_usd += cost_usd
        self._spent.append((self._clock(), usage["total_tokens"]))

    def summary(self) -> dict[str, Any]:
        """Everything as JSON."""
        lasted = (self._last or 0.0) - (self._began or 0.0)
        conversations = sum(self.contents.values())
        answered = self.batch_sizes.total()
        return {
            "calls": {
                "total": self.calls,
                "by_outcome": dict(self.outcomes),
                "in_progress": self._in_progress,
                "most_in_progress": self._most_in_progress,
                "most_in_a_second": self._busiest_second,
                "busiest_second_ends_with_call": self._busiest_call,
                "per_second": round((self.calls - 1) / lasted, 3) if lasted > 0 else 0.0,
                "seconds": round(lasted, 3),
            },
            "conversations": {
                "answered": conversations,
                "distinct": len(self.contents),
                "answered_again": conversations - len(self.contents),
                "per_call": round(conversations / answered, 2) if answered else 0.0,
            },
            "tokens": {
                "prompt": self.prompt_tokens,
                "cached": self.cached_tokens,
                "instructions": self.instruction_tokens,
                "completion": self.output_tokens,
            },
            "cost_usd": round(self.cost_usd, 6),
        }


def content_digest(body: str) -> str:
    """SHA-256 (hex) of a conversation's text as it stands in the prompt."""
    return hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()


def _forget(moments: deque[float], until: float) -> None:
    while moments and moments[0] <= until:
        moments.popleft()
