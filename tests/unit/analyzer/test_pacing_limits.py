"""The limits that are paced: configured, met, stated; calls and tokens."""

import pytest

from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.pacers import a_pacer, calls_of, most_in_a_second


def test_without_limits_a_call_may_start_at_any_time() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, 0)
    assert all(pacer.take() for _ in range(100))
    pacer.settle(10, 20)
    assert pacer.delay() == 0


def test_tokens_are_paced_without_a_burst() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, 0, tokens_per_minute=60_000)
    assert pacer.take()
    pacer.charge(950)
    assert pacer.delay() == pytest.approx(1.0)
    pacer.settle(950, 1900)
    assert pacer.delay() == pytest.approx(2.0)
    clock.advance(30)
    pacer.note_heartbeat(clock.now)
    assert pacer.take()
    pacer.charge(95)
    assert pacer.delay() == pytest.approx(0.1)


def test_a_lowered_limit_holds_at_once() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    calls_of(clock, [pacer], 3)
    pacer.limit_stated(2, None)
    clock.advance(1)
    assert most_in_a_second(calls_of(clock, [pacer], 10)) <= 2


def test_a_limit_that_was_met_slows_the_pace_once_and_it_rises_again_with_time() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    pacer.slow_down()
    pacer.slow_down()
    clock.advance(2)
    assert most_in_a_second(calls_of(clock, [pacer], 10)) <= 8
    clock.advance(100)
    assert len(calls_of(clock, [pacer], 10)) >= 93
    for _ in range(40):
        clock.advance(6)
        pacer.slow_down()
    pacer.note_heartbeat(clock.now)
    assert pacer.calls_per_second == pytest.approx(1)


def test_a_limit_that_the_provider_states_only_lowers_ours_and_never_to_nothing() -> None:
    pacer = a_pacer(FakeClock(), 10, tokens_per_minute=60_000)
    pacer.limit_stated(8, 30_000)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (8, 30_000)
    pacer.limit_stated(100, 1e9)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (10, 60_000)
    pacer.limit_stated(0.001, 1)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (1, 6_000)
    pacer.limit_stated(None, None)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (10, 60_000)


def test_where_we_set_no_limit_the_stated_one_counts() -> None:
    pacer = a_pacer(FakeClock(), 0)
    pacer.limit_stated(8, 30_000)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (8, 30_000)
    pacer.limit_stated(None, None)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (0, 0)


def test_the_lower_of_the_stated_limit_and_the_one_that_was_met_counts() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, 10)
    pacer.limit_stated(9, None)
    pacer.slow_down()
    assert pacer.calls_per_second == pytest.approx(8)
    clock.advance(50)
    assert pacer.calls_per_second == pytest.approx(9)
    clock.advance(50)
    assert pacer.calls_per_second == 9
