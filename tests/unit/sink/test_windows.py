from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.windows import (
    HOUR,
    MAX_BUCKETS,
    MINUTE,
    STEPS,
    Grain,
    Span,
    TooManyBuckets,
    Window,
    bucket_starts,
    cover,
    floor_to,
)

UTC_ZONE = ZoneInfo("UTC")
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(), timedelta(days=366)).map(lambda since: EPOCH + since)


@given(moments, moments)
def test_a_cover_counts_each_moment_of_the_window_once_and_no_other(one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    spans = list(cover(start, end))
    assert all(span.start < span.end for span in spans)
    edges = sorted({start, end, *(edge for span in spans for edge in (span.start, span.end))})
    for moment in (edges[0] - MINUTE, *edges):  # nothing changes between two edges
        counted = sum(span.sign for span in spans if span.start <= moment < span.end)
        assert counted == (start <= moment < end)


@given(moments, moments)
def test_only_two_pieces_of_half_a_minute_are_counted_row_by_row(one: datetime, other: datetime) -> None:
    spans = list(cover(min(one, other), max(one, other)))
    assert len(spans) <= 7
    assert len([span for span in spans if span.grain is Grain.ROWS]) <= 2
    for span in spans:
        if span.grain is Grain.ROWS:
            assert span.end - span.start <= MINUTE / 2 or len(spans) == 1
            continue
        step = STEPS[span.grain]
        assert (floor_to(span.start, step), floor_to(span.end, step)) == (span.start, span.end)
        assert span.grain is Grain.DAYS or span.end - span.start <= 30 * step


def test_a_window_of_whole_hours_is_one_span() -> None:
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert list(cover(start, start + 5 * HOUR)) == [Span(0, Grain.HOURS, 1, start, start + 5 * HOUR)]


def test_a_window_of_whole_days_is_one_span_and_hours_at_its_edges_are_put_right() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    assert list(cover(start, start + 48 * HOUR)) == [Span(0, Grain.DAYS, 1, start, start + 48 * HOUR)]
    assert set(cover(start + 22 * HOUR, start + 50 * HOUR)) == {
        Span(0, Grain.HOURS, 1, start + 22 * HOUR, start + 24 * HOUR),
        Span(0, Grain.DAYS, 1, start + 24 * HOUR, start + 48 * HOUR),
        Span(0, Grain.HOURS, 1, start + 48 * HOUR, start + 50 * HOUR),
    }


def test_what_is_missing_to_a_whole_hour_is_taken_away() -> None:
    hour = datetime(2026, 3, 2, 9, tzinfo=UTC)
    start, end = hour + timedelta(minutes=1, seconds=59), hour + 2 * HOUR - timedelta(seconds=5)
    assert set(cover(start, end)) == {
        Span(0, Grain.HOURS, 1, hour, hour + 2 * HOUR),
        Span(0, Grain.MINUTES, -1, hour, hour + 2 * MINUTE),
        Span(0, Grain.ROWS, 1, start, hour + 2 * MINUTE),
        Span(0, Grain.ROWS, -1, end, hour + 2 * HOUR),
    }


def test_a_day_on_which_clocks_change_has_23_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
    starts = bucket_starts(window, by_day=True, zone=berlin)
    assert [second - first for first, second in pairwise(starts)] == [23 * HOUR, 24 * HOUR]


def test_days_of_a_zone_with_half_hours_start_at_half_hours() -> None:
    window = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
    starts = bucket_starts(window, by_day=True, zone=ZoneInfo("Asia/Kolkata"))
    assert starts == [window.start, datetime(2026, 3, 2, 18, 30, tzinfo=UTC)]


def test_the_first_bucket_starts_with_the_window() -> None:
    window = Window(datetime(2026, 3, 2, 9, 20, tzinfo=UTC), datetime(2026, 3, 2, 11, 0, tzinfo=UTC))
    starts = bucket_starts(window, by_day=False, zone=UTC_ZONE)
    assert [start.isoformat()[11:16] for start in starts] == ["09:20", "10:00"]


def test_too_many_buckets_are_refused() -> None:
    window = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC) + (MAX_BUCKETS + 1) * HOUR)
    with pytest.raises(TooManyBuckets):
        bucket_starts(window, by_day=False, zone=UTC_ZONE)


def test_the_window_before_ends_where_this_one_starts() -> None:
    window = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
    assert window.before() == Window(datetime(2026, 2, 27, tzinfo=UTC), window.start)
