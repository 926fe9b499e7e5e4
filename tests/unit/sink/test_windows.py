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
    Grain,
    Span,
    TooManyBuckets,
    Window,
    bucket_starts,
    ceil_to,
    cover,
    floor_to,
    spans_of,
)

UTC_ZONE = ZoneInfo("UTC")
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(), timedelta(days=366)).map(lambda since: EPOCH + since)


@given(moments, moments)
def test_a_cover_is_the_window_without_gaps_or_overlaps(one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    spans = list(cover(start, end))
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert sum((span.end - span.start for span in spans), timedelta()) == end - start
    assert all(span.start < span.end for span in spans)


@given(moments, moments)
def test_only_two_pieces_shorter_than_a_minute_are_counted_row_by_row(one: datetime, other: datetime) -> None:
    spans = list(cover(min(one, other), max(one, other)))
    rows = [span for span in spans if span.grain is Grain.ROWS]
    assert len(spans) <= 5
    assert len(rows) <= 2
    assert all(span.end - span.start < 2 * MINUTE for span in rows)
    for span in spans:
        step = {Grain.HOURS: HOUR, Grain.MINUTES: MINUTE}.get(span.grain)
        assert step is None or (floor_to(span.start, step), ceil_to(span.end, step)) == (span.start, span.end)


def test_a_window_of_whole_hours_is_one_span() -> None:
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert list(cover(start, start + 5 * HOUR)) == [Span(0, Grain.HOURS, start, start + 5 * HOUR)]


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


def test_spans_of_buckets_carry_the_number_of_their_bucket() -> None:
    window = Window(datetime(2026, 3, 2, 9, 20, tzinfo=UTC), datetime(2026, 3, 2, 11, 0, tzinfo=UTC))
    spans = spans_of(window, bucket_starts(window, by_day=False, zone=UTC_ZONE))
    assert [(span.bucket, span.grain) for span in spans] == [(0, Grain.MINUTES), (1, Grain.HOURS)]


def test_too_many_buckets_are_refused() -> None:
    window = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC) + (MAX_BUCKETS + 1) * HOUR)
    with pytest.raises(TooManyBuckets):
        bucket_starts(window, by_day=False, zone=UTC_ZONE)


def test_the_window_before_ends_where_this_one_starts() -> None:
    window = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
    assert window.before() == Window(datetime(2026, 2, 27, tzinfo=UTC), window.start)
