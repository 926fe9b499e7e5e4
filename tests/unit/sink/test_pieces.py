"""What buckets are counted by: exactly their moments, in every zone."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.pieces import Pieces, pieces_of
from services.sink.windows import DAY, HOUR, MINUTE, STEPS, Grain, Window, bucket_starts

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati", "America/St_Johns"]
moments = st.timedeltas(timedelta(), timedelta(days=40)).map(lambda since: EPOCH + since)


def counted_at(pieces: Pieces, moment: datetime) -> dict[int, int]:
    """How often each bucket counts a moment."""
    found: Counter[int] = Counter()
    for span, shares in zip(pieces.spans, pieces.shares, strict=True):
        if span.start <= moment < span.end:
            found.update(dict(shares))
    for start, bucket in pieces.cells.items():
        if start <= moment < start + STEPS[pieces.grain]:
            found[bucket] += 1
    return {bucket: count for bucket, count in found.items() if count}


@given(moments, moments, st.sampled_from(ZONES), st.booleans())
def test_each_bucket_counts_its_own_moments_once_and_no_other(
    one: datetime, other: datetime, zone: str, by_day: bool
) -> None:
    window = Window(min(one, other), max(one, other) + timedelta(microseconds=1))
    starts = bucket_starts(window, by_day=by_day, zone=ZoneInfo(zone))
    pieces = pieces_of(window, starts, by_day=by_day)
    edges = {edge for span in pieces.spans for edge in (span.start, span.end)}
    edges |= {edge for start in pieces.cells for edge in (start, start + STEPS[pieces.grain])}
    buckets = list(pairwise([*starts, window.end]))
    for moment in sorted(edges | set(starts) | {window.end, window.start - MINUTE}):  # nothing changes between two
        expected = {number: 1 for number, (start, end) in enumerate(buckets) if start <= moment < end}
        assert counted_at(pieces, moment) == expected


@pytest.mark.parametrize(("zone", "most"), [("UTC", 0), ("Europe/Berlin", 366), ("Asia/Kolkata", 2 * 366)])
def test_a_year_of_days_is_cells_of_days_and_one_or_two_pieces_a_midnight(zone: str, most: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    window = Window(start, start + 365 * DAY)
    pieces = pieces_of(window, bucket_starts(window, by_day=True, zone=ZoneInfo(zone)), by_day=True)
    assert len(pieces.cells) == 365
    assert len(pieces.spans) <= most
    assert pieces.stretch.length == 365 * DAY


def test_hours_are_cells_but_for_the_edges_of_the_window() -> None:
    window = Window(EPOCH + 20 * MINUTE, EPOCH + 5 * HOUR)
    pieces = pieces_of(window, bucket_starts(window, by_day=False, zone=ZoneInfo("UTC")), by_day=False)
    assert pieces.cells == {EPOCH + number * HOUR: number for number in range(5)}
    assert [(span.grain, shares) for span, shares in zip(pieces.spans, pieces.shares, strict=True)] == [
        (Grain.MINUTES, [(0, -1)])
    ]


def test_a_window_without_a_whole_bucket_has_no_stretch() -> None:
    window = Window(EPOCH + 5 * MINUTE, EPOCH + 9 * MINUTE)
    pieces = pieces_of(window, [window.start], by_day=False)
    assert not pieces.cells
    assert pieces.stretch.length == timedelta()
