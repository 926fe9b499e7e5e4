"""Pacing: the fleet together never above the limit, and (nearly) all of it used."""

import itertools
import math
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analyzer.pacing import HEARTBEAT_SECONDS, CallPermit, Pacer
from tests.unit.analyzer.fakes import FakeClock

TICK = 0.002


def _pacer(clock: FakeClock, calls_per_second: float = 10, *, tokens_per_minute: float = 0, share: int = 12) -> Pacer:
    pacer = Pacer(calls_per_second=calls_per_second, tokens_per_minute=tokens_per_minute, clocks=clock.clocks)
    pacer.set_share(range(share), 12)
    pacer.note_heartbeat(clock.now)
    return pacer


def _most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max((bisect_left(times, start + 1.0) - place for place, start in enumerate(times)), default=0)


def _calls(clock: FakeClock, pacers: list[Pacer], seconds: float, *, step: float = TICK) -> list[float]:
    """When calls start if every pacer always has work."""
    times: list[float] = []
    end = clock.now + seconds
    while clock.now < end:
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            if pacer.take():
                times.append(clock.now)
        clock.advance(step)
    return times


def test_one_instance_uses_the_limit_and_never_exceeds_it_in_any_second() -> None:
    clock = FakeClock()
    times = _calls(clock, [_pacer(clock)], 60)
    assert _most_in_a_second(times) <= 10
    assert len(times) >= 0.93 * 10 * 60


@settings(max_examples=60, deadline=None)
@given(
    limit=st.sampled_from([1, 2, 3, 5, 8, 10, 25, 60]),
    owners=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    start=st.floats(0, 1e6),
    step=st.floats(0.001, 0.012),
)
def test_a_fleet_under_one_limit_never_exceeds_it_however_partitions_are_dealt(
    limit: int, owners: list[int], start: float, step: float
) -> None:
    clock = FakeClock(now=start)
    pacers = []
    for owner in range(4):
        pacer = _pacer(clock, limit)
        pacer.set_share([p for p, who in enumerate(owners) if who == owner], 12)
        pacers.append(pacer)
    times = _calls(clock, pacers, 6, step=step)
    assert _most_in_a_second(times) <= limit
    assert len(times) >= math.floor(0.85 * limit * 6) - 1


@settings(max_examples=60, deadline=None)
@given(
    limit=st.sampled_from([1, 3, 10, 25]),
    owners=st.lists(st.integers(0, 1), min_size=12, max_size=12),
    lags=st.lists(st.floats(0, 0.3), min_size=1, max_size=20),
)
def test_calls_that_start_late_after_their_permit_still_keep_the_limit(
    limit: int, owners: list[int], lags: list[float]
) -> None:
    clock = FakeClock()
    pacers = [_pacer(clock, limit), _pacer(clock, limit)]
    for owner, pacer in enumerate(pacers):
        pacer.set_share([p for p, who in enumerate(owners) if who == owner], 12)
    lag = itertools.cycle(lags)
    waiting: list[tuple[float, Pacer, CallPermit]] = []
    times: list[float] = []
    end = clock.now + 8
    while clock.now < end:
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            if permit := pacer.take():
                waiting.append((clock.now + next(lag), pacer, permit))
        due = [entry for entry in waiting if entry[0] <= clock.now]
        waiting = [entry for entry in waiting if entry[0] > clock.now]
        for _, pacer, permit in due:
            if wait := pacer.start(permit):
                waiting.append((clock.now + wait, pacer, permit))
            else:
                times.append(clock.now)
        clock.advance(TICK)
    assert _most_in_a_second(times) <= limit
    assert len(times) >= limit * 2


@settings(max_examples=60, deadline=None)
@given(lags=st.lists(st.floats(0, 0.5), min_size=1, max_size=30), limit=st.sampled_from([2, 10, 25]))
def test_what_is_sent_keeps_the_limit_however_long_connections_take_to_open(lags: list[float], limit: int) -> None:
    clock = FakeClock()
    pacer = _pacer(clock, limit)
    lag = itertools.cycle(lags)
    opening: list[tuple[float, CallPermit]] = []
    sent: list[float] = []
    end = clock.now + 8
    while clock.now < end:
        pacer.note_heartbeat(clock.now)
        for entry in [entry for entry in opening if entry[0] <= clock.now]:
            opening.remove(entry)
            pacer.sent(entry[1])
            sent.append(clock.now)
        if permit := pacer.take():
            assert pacer.start(permit) == 0
            opening.append((clock.now + next(lag), permit))
        clock.advance(TICK)
    assert _most_in_a_second(sent) <= limit
    assert len(sent) >= limit * 8 * 0.45


def test_a_permit_is_of_no_use_after_a_rebalance_began() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    permit = pacer.take()
    assert permit is not None
    pacer.stop()
    assert pacer.start(permit) is None


def test_each_instance_gets_its_share_of_the_limit() -> None:
    clock = FakeClock()
    small, large = _pacer(clock), _pacer(clock)
    small.set_share({0, 6, 9}, 12)
    large.set_share(set(range(12)) - {0, 6, 9}, 12)
    counts = {id(small): 0, id(large): 0}
    for _ in range(int(60 / TICK)):
        for pacer in (small, large):
            pacer.note_heartbeat(clock.now)
            counts[id(pacer)] += pacer.take() is not None
        clock.advance(TICK)
    assert counts[id(small)] == pytest.approx(0.95 * 10 * 60 * 3 / 12, rel=0.03)
    assert counts[id(large)] == pytest.approx(0.95 * 10 * 60 * 9 / 12, rel=0.03)
    assert (small.share, large.share) == (0.25, 0.75)


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    clock.advance(9)
    assert _most_in_a_second(_calls(clock, [pacer], 3)) <= 10
    times = _calls(clock, [pacer], 0.5)
    assert len(times) <= 6


def test_after_an_idle_time_an_instance_that_is_alone_calls_at_once() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    clock.advance(5.03)
    assert pacer.take()


def test_in_a_fleet_a_slot_that_was_missed_is_lost() -> None:
    clock = FakeClock()
    pacer = _pacer(clock, share=6)
    clock.advance(pacer.delay() or 0)
    assert pacer.take()
    delay = pacer.delay()
    assert delay is not None
    clock.advance(delay + 0.03)
    assert pacer.delay() != 0


def test_an_instance_that_is_alone_makes_up_for_a_stall_without_exceeding_the_limit() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    times = []
    for _ in range(20):
        times += _calls(clock, [pacer], 2)
        clock.advance(0.12)
    assert _most_in_a_second(times) <= 10
    assert len(times) >= 0.93 * 10 * 20 * 2.12


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 0.05, 3_600.0])
def test_a_jump_of_the_wall_clock_neither_stops_nor_bursts_the_calls(jump: float) -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    times = _calls(clock, [pacer], 5)
    clock.jump(jump)
    times += _calls(clock, [pacer], 10)
    assert _most_in_a_second(times) <= 10
    assert len(times) >= 0.85 * 10 * 15 - 11


def test_without_partitions_no_call_may_start() -> None:
    clock = FakeClock()
    pacer = _pacer(clock, share=0)
    assert pacer.delay() is None
    assert not pacer.take()


def test_a_rebalance_takes_the_share_until_the_next_assignment() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    pacer.stop()
    assert pacer.delay() is None
    assert pacer.share == 0
    pacer.set_share({3}, 12)
    assert pacer.delay() is not None


def test_a_process_that_slept_does_not_call_before_its_next_heartbeat() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    clock.advance(HEARTBEAT_SECONDS + 0.001)
    assert pacer.delay() is None
    pacer.note_heartbeat(clock.now)
    assert pacer.delay() is not None


def test_without_limits_a_call_may_start_at_any_time() -> None:
    clock = FakeClock()
    pacer = _pacer(clock, 0)
    assert all(pacer.take() for _ in range(100))
    pacer.settle(10, 20)
    assert pacer.delay() == 0


def test_tokens_are_paced_without_a_burst() -> None:
    clock = FakeClock()
    pacer = _pacer(clock, 0, tokens_per_minute=60_000)
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
    pacer = _pacer(clock)
    _calls(clock, [pacer], 3)
    pacer.limit_stated(2, None)
    clock.advance(1)
    assert _most_in_a_second(_calls(clock, [pacer], 10)) <= 2


def test_a_limit_that_was_met_slows_the_pace_once_and_it_rises_again_with_answers() -> None:
    clock = FakeClock()
    pacer = _pacer(clock)
    pacer.slow_down()
    pacer.slow_down()
    clock.advance(2)
    assert _most_in_a_second(_calls(clock, [pacer], 10)) <= 8
    for _ in range(1_100):
        pacer.answered()
    clock.advance(1)
    assert len(_calls(clock, [pacer], 10)) >= 93
    for _ in range(40):
        clock.advance(6)
        pacer.slow_down()
    pacer.note_heartbeat(clock.now)
    assert pacer.slot_seconds == pytest.approx(1 / 0.95)


def test_a_limit_that_the_provider_states_only_lowers_ours_and_never_to_nothing() -> None:
    pacer = _pacer(FakeClock(), 10, tokens_per_minute=60_000)
    pacer.limit_stated(8, 30_000)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (8, 30_000)
    pacer.limit_stated(100, 1e9)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (10, 60_000)
    pacer.limit_stated(0.001, 1)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (1, 6_000)
    pacer.limit_stated(None, None)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (10, 60_000)


def test_where_we_set_no_limit_the_stated_one_counts() -> None:
    pacer = _pacer(FakeClock(), 0)
    pacer.limit_stated(8, 30_000)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (8, 30_000)
    pacer.limit_stated(None, None)
    assert (pacer.calls_per_second, pacer.tokens_per_minute) == (0, 0)


def test_the_lower_of_the_stated_limit_and_the_one_that_was_met_counts() -> None:
    clock = FakeClock()
    pacer = _pacer(clock, 10)
    pacer.limit_stated(9, None)
    pacer.slow_down()
    assert pacer.calls_per_second == pytest.approx(8)
    for _ in range(1_100):
        pacer.answered()
    assert pacer.calls_per_second == 9


@given(st.integers(1, 2000))
def test_each_partition_owns_one_slot_of_each_cycle_whatever_their_number(partitions: int) -> None:
    pacer = Pacer(calls_per_second=10, clocks=FakeClock().clocks)
    pacer.set_share((), partitions)
    assert {pacer._owner(slot) for slot in range(partitions)} == set(range(partitions))
