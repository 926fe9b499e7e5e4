"""Calls and seconds of a replay, played through."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertone.replay.course import Course, Fleet, course_of, seconds_of_a_call

FLEET = Fleet(instances=1, calls_per_second=10, first_batch=5, largest_batch=50, most_in_flight=30_000)


def test_nothing_takes_nothing() -> None:
    assert course_of(0, FLEET) == Course(0, 0.0)


def test_one_takes_one_call() -> None:
    assert course_of(1, FLEET) == Course(1, seconds_of_a_call(1))


def test_calls_that_go_out_before_the_first_answer_are_all_small() -> None:
    within_an_answer = math.floor(seconds_of_a_call(5) * 10) * 5
    assert course_of(within_an_answer, FLEET).calls == within_an_answer / 5


def test_batches_grow_with_each_answer_and_a_large_replay_is_made_of_large_ones() -> None:
    assert course_of(1_000, FLEET).calls < 200
    large = course_of(100_000, FLEET)
    assert 2_000 < large.calls < 2_600
    assert large.seconds == pytest.approx(large.calls / 10, rel=0.3)


def test_without_a_limit_on_calls_what_is_in_flight_bounds_the_pace() -> None:
    unlimited = replace(FLEET, calls_per_second=0, most_in_flight=8_000)
    assert course_of(8_000, unlimited).calls == 1_600
    assert course_of(16_000, unlimited).calls < 3_000, "the second half waits for answers"
    assert course_of(1_000_000, unlimited).seconds > 980_000 / 8_000 * seconds_of_a_call(50)


def test_each_analyzer_learns_by_itself() -> None:
    assert course_of(10_000, replace(FLEET, instances=4)).calls > course_of(10_000, FLEET).calls


@given(
    contents=st.integers(1, 5_000),
    instances=st.integers(1, 12),
    calls_per_second=st.sampled_from([0.0, 0.5, 10.0, 500.0]),
    first=st.integers(1, 50),
    arrivals=st.sampled_from([0.0, 1.0, 2_000.0]),
)
def test_calls_lie_between_those_of_the_largest_and_the_smallest_batch(
    contents: int, instances: int, calls_per_second: float, first: int, arrivals: float
) -> None:
    fleet = Fleet(instances, calls_per_second, first, 50, 8_000, arrivals)
    found = course_of(contents, fleet)
    assert math.ceil(contents / 50) <= found.calls <= math.ceil(contents / first) + instances
    assert found.calls <= contents
    if calls_per_second:
        assert found.seconds >= (found.calls - instances) / calls_per_second - 1e-6
