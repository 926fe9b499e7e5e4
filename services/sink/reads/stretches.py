"""Searches that go on page by page: how far one page may look where hardly anything matches. Pure but for the clock.

Filters can work against an order: the most negative of a topic that nobody is angry about, a word that is frequent, but
not where one looks. Such a search passes all that comes before. It is done stretch by stretch, and when a page has
looked for long enough, it ends with what it found and says where the next one goes on.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from services.sink.reads.filters import Order
from services.sink.reads.members import Row
from services.sink.rows import SCORE_UNIT

_SEARCHING_SECONDS = 2.0
"""A page's statements together; SINK_QUERY_TIMEOUT_SECONDS gives up a single one."""
_QUICK_SECONDS = 0.05
"""A stretch that took less is followed by one twice as long, up to half of what is left."""
_FIRST_SHARE = 1 / 100

_BOUNDS: dict[str, tuple[float, float]] = {"score": (-SCORE_UNIT, SCORE_UNIT), "confidence": (0.0, 1.0)}
"""Where the values of an order lie; both orders begin at the lower end."""


class Found(NamedTuple):
    """A page's rows, in order; `goes_on_at` is where its search was given up, None when it came to an end."""

    rows: list[Row]
    goes_on_at: int | float | None = None
    """A sort value as cursors carry it: all rows before it were looked at, and none of those that have it."""


class Patience:
    """How long a page has searched."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + _SEARCHING_SECONDS
        self._since = self._clock()

    @property
    def is_over(self) -> bool:
        return self._clock() > self._until

    def was_quick(self) -> bool:
        """Whether the time since this was asked last is short."""
        now = self._clock()
        before, self._since = self._since, now
        return now - before < _QUICK_SECONDS


class Stretch(NamedTuple):
    """Sort values from `low` on, up to without `high`; none is no bound."""

    low: float | None
    high: float | None


WHOLE = Stretch(None, None)


@dataclass(slots=True)
class Stretches:
    """The values of an order from its beginning, or from a cursor's value, to its end."""

    order: Order
    start: float | None
    patience: Patience

    def __iter__(self) -> Iterator[Stretch]:
        first, last = _BOUNDS[self.order.column]
        step = (last - first) * _FIRST_SHARE
        low, high = self.start, (first if self.start is None else self.start) + step
        while high < last:
            yield Stretch(low, self._bound(high))
            if self.patience.was_quick():
                step = min(2 * step, max(step, (last - high) / 2))
            low, high = self._bound(high), high + step
        yield Stretch(low, None)

    def _bound(self, value: float) -> float:
        return int(value) if self.order.column == "score" else value
