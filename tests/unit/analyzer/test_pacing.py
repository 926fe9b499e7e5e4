"""Pacing: the fleet together never above the limit, and (nearly) all of it used."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analyzer.pacing import HEARTBEAT_SECONDS, CallPermit, Pacer
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.pacers import TICK, a_pacer, calls_of, most_in_a_second


def test_one_instance_uses_the_limit_and_never_exceeds_it_in_any_second() -> None:
    clock = FakeClock()
    times = calls_of(clock, [a_pacer(clock)], 60)
    assert most_in_a_second(times) <= 10
    assert len(times) >= 0.93 * 10 * 60


@settings(max_examples=30, deadline=None)
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
        pacer = a_pacer(clock, limit)
        pacer.set_share([p for p, who in enumerate(owners) if who == owner], 12)
        pacers.append(pacer)
    times = calls_of(clock, pacers, 6, step=step)
    assert most_in_a_second(times) <= limit
    assert len(times) >= math.floor(0.85 * limit * 6) - 1


@settings(max_examples=30, deadline=None)
@given(
    limit=st.sampled_from([1, 3, 10, 25]),
    owners=st.lists(st.integers(0, 1), min_size=12, max_size=12),
    lags=st.lists(st.floats(0, 0.3), min_size=1, max_size=20),
)
def test_calls_that_start_late_after_their_permit_still_keep_the_limit(
    limit: int, owners: list[int], lags: list[float]
) -> None:
    clock = FakeClock()
    pacers = [a_pacer(clock, limit), a_pacer(clock, limit)]
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
    assert most_in_a_second(times) <= limit
    assert len(times) >= limit * 2


@settings(max_examples=20, deadline=None)
@given(lags=st.lists(st.floats(0, 0.5), min_size=1, max_size=30), limit=st.sampled_from([2, 10, 25]))
def test_what_is_sent_keeps_the_limit_however_long_connections_take_to_open(lags: list[float], limit: int) -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, limit)
    lag = itertools.cycle(lags)
    opening: list[tuple[float, CallPermit]] = []
    sent: list[float] = []
    end = clock.now + 5
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
    assert most_in_a_second(sent) <= limit
    assert len(sent) >= limit * 5 * 0.45 - 1


def test_a_permit_is_of_no_use_after_a_rebalance_began() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    permit = pacer.take()
    assert permit is not None
    pacer.stop()
    assert pacer.start(permit) is None


@pytest.mark.parametrize("limit", [1.3, 2.1, 4.7, 9.9, 10])
def test_every_slot_of_a_limit_that_was_not_met_may_be_used(limit: float) -> None:
    clock = FakeClock()
    pacers = [a_pacer(clock, limit), a_pacer(clock, limit)]
    for owner, pacer in enumerate(pacers):
        pacer.set_share(range(owner, 12, 2), 12)
    slot = 1 / (0.95 * limit)
    clock.advance((math.ceil(clock.wall() / slot) + 24) * slot - clock.wall() + 0.001)
    calls = 0
    for _ in range(150):
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            calls += pacer.take() is not None
        clock.advance(slot)
    assert calls == 150


def test_each_instance_gets_its_share_of_the_limit() -> None:
    clock = FakeClock()
    small, large = a_pacer(clock), a_pacer(clock)
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
    pacer = a_pacer(clock)
    clock.advance(9)
    assert most_in_a_second(calls_of(clock, [pacer], 3)) <= 10
    times = calls_of(clock, [pacer], 0.5)
    assert len(times) <= 6


def test_after_an_idle_time_an_instance_that_is_alone_calls_at_once() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    clock.advance(5.03)
    assert pacer.take()


def test_in_a_fleet_a_slot_that_was_missed_is_lost() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, share=6)
    clock.advance(pacer.delay() or 0)
    assert pacer.take()
    delay = pacer.delay()
    assert delay is not None
    clock.advance(delay + 0.03)
    assert pacer.delay() != 0


def test_an_instance_that_is_alone_makes_up_for_a_stall_without_exceeding_the_limit() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    times = []
    for _ in range(20):
        times += calls_of(clock, [pacer], 2)
        clock.advance(0.12)
    assert most_in_a_second(times) <= 10
    assert len(times) >= 0.93 * 10 * 20 * 2.12


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 0.05, 3_600.0])
def test_a_jump_of_the_wall_clock_neither_stops_nor_bursts_the_calls(jump: float) -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    times = calls_of(clock, [pacer], 5)
    clock.jump(jump)
    times += calls_of(clock, [pacer], 10)
    assert most_in_a_second(times) <= 10
    assert len(times) >= 0.85 * 10 * 15 - 11


def test_a_slot_that_began_before_it_was_ours_is_anothers() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, 1, share=6)
    clock.advance(0.3)
    pacer.set_share(range(12), 12)
    assert (pacer.delay() or 0) > 0, "the slot of this moment may have been used"
    clock.advance(1.2)
    assert pacer.take(), "of the later ones it knows that they were not"


def test_without_partitions_no_call_may_start() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock, share=0)
    assert pacer.delay() is None
    assert not pacer.take()


def test_a_rebalance_takes_the_share_until_the_next_assignment() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    pacer.stop()
    assert pacer.delay() is None
    assert pacer.share == 0
    pacer.set_share({3}, 12)
    assert pacer.delay() is not None


def test_a_process_that_slept_does_not_call_before_its_next_heartbeat() -> None:
    clock = FakeClock()
    pacer = a_pacer(clock)
    clock.advance(HEARTBEAT_SECONDS + 0.001)
    assert pacer.delay() is None
    pacer.note_heartbeat(clock.now)
    assert pacer.delay() is not None


@given(st.integers(1, 2000))
def test_each_partition_owns_one_slot_of_each_cycle_whatever_their_number(partitions: int) -> None:
    pacer = Pacer(calls_per_second=10, clocks=FakeClock().clocks)
    pacer.set_share((), partitions)
    assert {pacer._owner(slot) for slot in range(partitions)} == set(range(partitions))
