"""Windows of time, and what they are counted by: whole UTC days, hours and minutes, and seconds at the edges. Pure.

Counts over a window are exact at any size: days, hours and minutes come from rollups, and at most two pieces, of half a
minute or less each, are counted row by row. What is missing to a whole day, hour or minute is taken away again rather
than the greater part of it put together. A window holds its start and not its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MAX_BUCKETS = 4_000


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` up to, without, `end`; both in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def before(self) -> "Window":
        """The window of the same length that ends where this one starts."""
        return Window(self.start - self.length, self.start)


class Grain(IntEnum):
    """Where a span is counted."""

    ROWS = 0
    MINUTES = 1
    HOURS = 2
    DAYS = 3


class Span(NamedTuple):
    """A piece of a window: counted at this grain, for the bucket of this number; `sign` is -1 when it is taken away."""

    bucket: int
    grain: Grain
    sign: int
    start: datetime
    end: datetime


def floor_to(moment: datetime, step: timedelta) -> datetime:
    """The last whole minute, hour or UTC day that is not after the moment, which is in UTC."""
    if step == MINUTE:
        return moment.replace(second=0, microsecond=0)
    if step == HOUR:
        return moment.replace(minute=0, second=0, microsecond=0)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def nearest(moment: datetime, step: timedelta) -> datetime:
    """The whole minute, hour or UTC day that is nearest; in the middle the later one."""
    floor = floor_to(moment, step)
    if floor == moment:
        return floor
    return floor if 2 * (moment - floor) < step else floor + step


STEPS = {Grain.DAYS: DAY, Grain.HOURS: HOUR, Grain.MINUTES: MINUTE}
"""How long a cell of each rollup is, the coarsest first."""


def cover(start: datetime, end: datetime, bucket: int = 0) -> Iterator[Span]:
    """At most seven spans, the coarsest that fit, whose sum with their signs is exactly [start, end)."""
    yield from _layer(start, end, bucket, 1, tuple(STEPS.items()))


def _layer(
    start: datetime, end: datetime, bucket: int, sign: int, steps: Sequence[tuple[Grain, timedelta]]
) -> Iterator[Span]:
    """`start` may be after `end`: then what lies between is taken away."""
    if start > end:
        start, end, sign = end, start, -sign
    if start == end:
        return
    if not steps:
        yield Span(bucket, Grain.ROWS, sign, start, end)
        return
    (grain, step), *finer = steps
    first, last = nearest(start, step), nearest(end, step)
    if abs(first - start) + abs(end - last) >= end - start:
        yield from _layer(start, end, bucket, sign, finer)
        return
    yield from _layer(start, first, bucket, sign, finer)
    yield Span(bucket, grain, sign, first, last)
    yield from _layer(last, end, bucket, sign, finer)


def days_of(window: Window) -> list[datetime]:
    """The UTC days that the window touches, its end included, by their starts."""
    first = floor_to(window.start.astimezone(UTC), DAY)
    return [first + timedelta(days=number) for number in range((window.end - first).days + 1)]


class TooManyBuckets(ValueError):  # noqa: N818 - it names what was asked for
    """The window has more buckets than an answer holds."""


def bucket_starts(window: Window, *, by_day: bool, zone: ZoneInfo) -> list[datetime]:
    """When each bucket of the window starts, in UTC; the first one starts with the window.

    Days are days of the zone, so a day on which clocks change has 23 or 25 hours. Raises TooManyBuckets.
    """
    starts = [window.start]
    for boundary in _boundaries(window.start, by_day=by_day, zone=zone):
        if boundary >= window.end:
            return starts
        if len(starts) == MAX_BUCKETS:
            raise TooManyBuckets
        starts.append(boundary)
    return starts


def _boundaries(start: datetime, *, by_day: bool, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts of hours or of the zone's days that come after `start`, for ever."""
    if not by_day:
        moment = floor_to(start, HOUR)
        while True:
            moment += HOUR
            yield moment
    day = start.astimezone(zone).date()
    while True:
        day += timedelta(days=1)
        yield datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
