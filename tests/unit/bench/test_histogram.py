import math

from hypothesis import given
from hypothesis import strategies as st

from undertone.bench.histogram import Histogram

WIDTH = 1 / 64


def filled(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return histogram


@given(st.lists(st.floats(0, 60_000), min_size=1), st.sampled_from([1, 50, 90, 99, 99.9, 100]))
def test_a_percentile_is_never_below_the_exact_one_and_at_most_a_bucket_above(
    durations: list[float], percent: float
) -> None:
    rank = max(1, math.ceil(len(durations) * percent / 100)) - 1
    exact_ms = int(sorted(durations)[rank] * 1e6) / 1000
    said_ms = filled(durations).percentile_ms(percent)
    assert exact_ms <= said_ms <= exact_ms * (1 + WIDTH) + 0.001


@given(st.lists(st.floats(0, 60_000), min_size=1))
def test_count_mean_and_largest_are_exact(durations: list[float]) -> None:
    histogram = filled(durations)
    whole_us = [int(seconds * 1e6) for seconds in durations]
    assert histogram.count == len(durations)
    assert histogram.largest_ms == max(whole_us) / 1000
    assert math.isclose(histogram.mean_ms, sum(whole_us) / len(whole_us) / 1000)
    assert sum(count for _, count in histogram.filled()) == len(durations)


def test_an_empty_histogram_says_zero() -> None:
    histogram = Histogram()
    assert (histogram.percentile_ms(99), histogram.mean_ms, histogram.largest_ms) == (0, 0, 0)
    assert list(histogram.filled()) == []


def test_what_is_out_of_range_counts_at_its_end() -> None:
    histogram = filled([-1, 1e9])
    assert histogram.percentile_ms(50) == 0
    assert histogram.percentile_ms(100) == (2**36 - 1) / 1000


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_two_added_up_are_one_that_counted_everything(some: list[float], others: list[float]) -> None:
    added, more, whole = Histogram(), Histogram(), Histogram()
    for seconds in some:
        added.add(seconds)
        whole.add(seconds)
    for seconds in others:
        more.add(seconds)
        whole.add(seconds)
    added.add_all(more)
    assert (added.filled(), added.count, added.mean_ms, added.largest_ms) == (
        whole.filled(),
        whole.count,
        whole.mean_ms,
        whole.largest_ms,
    )
