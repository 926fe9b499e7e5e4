"""Where in a window the rows of a list are: ranges of minutes, newest first, told by rollups.

The rollups count every minute by version, channel, subject and sentiment (or status), so they lead to the rows that a
filter asks for, however rare, and past those that it does not. Reading stops as soon as enough are found.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.sink.windows import MINUTE, Window, floor_to

_FIRST_MINUTES = 4
_MOST_MINUTES = 4_096
_GROWTH = 8


class Minute(NamedTuple):
    """How many rows of a list a minute holds."""

    start: datetime
    total: int


ReadMinutes = Callable[[Window, int], Awaitable[Sequence[Minute]]]
"""The last minutes of a window that hold something, newest first, at most so many."""


async def slices(
    read: ReadMinutes, window: Window, rows: int, *, growth: int = 1, most: int | None = None
) -> AsyncIterator[list[Window]]:
    """Ranges from the window's end to its start, each time such as hold at least `rows` rows (the last time fewer).

    Where a further filter leaves less of them, `growth` makes each time so much larger than the one before, up to
    `most` rows.
    """
    taken: list[Minute] = []
    found = 0
    async for minute in _minutes(read, window):
        taken.append(minute)
        is_cut = minute.start < window.start or minute.start + MINUTE > window.end
        found += 0 if is_cut else minute.total  # of a minute at the window's edge nobody knows how many lie inside
        if found >= rows:
            yield ranges_of(taken, window)
            taken, found = [], 0
            rows = max(rows, min(rows * growth, most or rows * growth))
    if taken:
        yield ranges_of(taken, window)


async def _minutes(read: ReadMinutes, window: Window) -> AsyncIterator[Minute]:
    upper, at_once = window.end, _FIRST_MINUTES
    while True:
        minutes = await read(Window(floor_to(window.start, MINUTE), upper), at_once)
        for minute in minutes:
            yield minute
        if len(minutes) < at_once:
            return
        upper, at_once = minutes[-1].start, min(at_once * _GROWTH, _MOST_MINUTES)


def ranges_of(minutes: Sequence[Minute], window: Window) -> list[Window]:
    """Minutes, newest first, as ranges of the window; neighbours are joined."""
    ranges: list[Window] = []
    for minute in minutes:
        low, high = max(minute.start, window.start), min(minute.start + MINUTE, window.end)
        if ranges and ranges[-1].start == high:
            ranges[-1] = Window(low, ranges[-1].end)
        else:
            ranges.append(Window(low, high))
    return ranges
