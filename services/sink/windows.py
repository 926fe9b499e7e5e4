"""Windows of time, and what covers them: whole hours, whole minutes and the seconds at the edges. Pure.

Counts over a window are exact at any size: hours and minutes come from rollups, and the at most two pieces that are
shorter than a minute are counted row by row. A window holds its start and not its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
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


class Span(NamedTuple):
    """A piece of a window: counted at this grain, for the bucket of this number."""

    bucket: int
    grain: Grain
    start: datetime
    end: datetime


def floor_to(moment: datetime, step: timedelta) -> datetime:
    """The last whole minute or hour that is not after the moment."""
    return moment - timedelta(
        minutes=moment.minute if step == HOUR else 0, seconds=moment.second, microseconds=moment.microsecond
    )


def ceil_to(moment: datetime, step: timedelta) -> datetime:
    """The first whole minute or hour that is not before the moment."""
    floor = floor_to(moment, step)
    return floor if floor == moment else floor + step


def cover(start: datetime, end: datetime, bucket: int = 0) -> Iterator[Span]:
    """Disjoint spans that together are exactly [start, end): the coarsest that fit, at most five."""
    yield from _layer(start, end, bucket, (Grain.HOURS, Grain.MINUTES))


_STEPS = {Grain.HOURS: HOUR, Grain.MINUTES: MINUTE}


def _layer(start: datetime, end: datetime, bucket: int, grains: Sequence[Grain]) -> Iterator[Span]:
    if start >= end:
        return
    if not grains:
        yield Span(bucket, Grain.ROWS, start, end)
        return
    step = _STEPS[grains[0]]
    first, last = ceil_to(start, step), floor_to(end, step)
    if first >= last:
        yield from _layer(start, end, bucket, grains[1:])
        return
    yield from _layer(start, first, bucket, grains[1:])
    yield Span(bucket, grains[0], first, last)
    yield from _layer(last, end, bucket, grains[1:])


def days_of(window: Window) -> list[datetime]:
    """The UTC days that the window touches, its end included, by their starts."""
    first = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
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


def spans_of(window: Window, starts: Sequence[datetime]) -> list[Span]:
    """What covers each bucket."""
    ends = [*starts[1:], window.end]
    return [
        span for number, (start, end) in enumerate(zip(starts, ends, strict=True)) for span in cover(start, end, number)
    ]
