"""Pacing of several instances when limits fall and rise, or one sends late: what they do not tell each other."""

from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analyzer.pacing import CallPermit, Pacer
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.pacers import TICK, a_pacer, calls_of, most_in_a_second

HOLD_SECONDS = 1.0
SECONDS = 200


def a_fleet(clock: FakeClock, instances: int) -> list[Pacer]:
    pacers = [a_pacer(clock) for _ in range(instances)]
    for number, pacer in enumerate(pacers):
        pacer.set_share(range(number, 12, instances), 12)
    clock.advance(3)
    return pacers


@settings(max_examples=15, deadline=None)
@given(ages=st.lists(st.floats(0, 60), min_size=2, max_size=4), start=st.floats(0, 1e6))
def test_instances_of_different_lowered_limits_never_exceed_the_configured_one(ages: list[float], start: float) -> None:
    clock = FakeClock(now=start)
    pacers = a_fleet(clock, len(ages))
    for pacer, age in zip(pacers, sorted(ages, reverse=True), strict=True):
        pacer.slow_down()
        clock.advance(age)
    least = sum(pacer.share * pacer.calls_per_second for pacer in pacers)
    times = calls_of(clock, pacers, 12)
    most = sum(pacer.share * pacer.calls_per_second for pacer in pacers)
    assert most_in_a_second(times) <= 10
    assert 0.85 * least <= len(times) / 12 <= 0.95 * most + 1


def test_instances_of_one_stated_limit_never_exceed_it() -> None:
    clock = FakeClock()
    pacers = a_fleet(clock, 6)
    for pacer in pacers:
        pacer.limit_stated(4, None)
    clock.advance(1)
    times = calls_of(clock, pacers, 20)
    assert most_in_a_second(times) <= 4
    assert len(times) >= 0.93 * 4 * 20


@pytest.mark.parametrize("instances", [1, 3, 12])
@pytest.mark.parametrize(("granted", "least"), [(10, 0.87), (8, 0.8)])
def test_a_fleet_whose_limit_was_met_uses_what_is_granted(instances: int, granted: int, least: float) -> None:
    clock = FakeClock()
    pacers = a_fleet(clock, instances)
    for pacer in pacers:
        pacer.slow_down()

    times, refused = _calls_to_a_provider(clock, pacers, granted, SECONDS)

    assert len(times) >= least * granted * SECONDS
    assert refused <= 0.01 * len(times)


def test_a_limit_that_was_met_leaves_no_partition_without_calls() -> None:
    clock = FakeClock()
    pacers = a_fleet(clock, 12)
    for _ in range(10):
        for pacer in pacers:
            pacer.slow_down()
        clock.advance(5)
    called: set[int] = set()
    end = clock.now + 30
    while clock.now < end:
        for number, pacer in enumerate(pacers):
            pacer.note_heartbeat(clock.now)
            if pacer.take():
                called.add(number)
        _until_the_next_call(clock, pacers)
    assert called == set(range(12))


def _until_the_next_call(clock: FakeClock, pacers: list[Pacer]) -> None:
    delays = [delay for pacer in pacers if (delay := pacer.delay()) is not None]
    clock.advance(max(TICK, min(delays)))


def _calls_to_a_provider(
    clock: FakeClock, pacers: list[Pacer], granted: int, seconds: float
) -> tuple[list[float], int]:
    """When calls start that a provider grants, so many in a second; and how many it refuses, holding the fleet."""
    times: list[float] = []
    refused, held_until, end = 0, clock.now, clock.now + seconds
    while clock.now < end:
        clock.advance(max(0.0, held_until - clock.now))
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            if clock.now < held_until or not pacer.take():
                continue
            if len(times) - bisect_left(times, clock.now - 1.0) < granted:
                times.append(clock.now)
                continue
            refused, held_until = refused + 1, clock.now + HOLD_SECONDS
            for each in pacers:
                each.slow_down()
        _until_the_next_call(clock, pacers)
    return times, refused


@settings(max_examples=15, deadline=None)
@given(
    instances=st.sampled_from([2, 3, 4]),
    lags=st.lists(st.floats(0.05, 0.6), min_size=1, max_size=8),
    first=st.integers(0, 20),
)
def test_a_call_that_leaves_late_makes_room_for_those_of_others(instances: int, lags: list[float], first: int) -> None:
    clock = FakeClock()
    pacers = a_fleet(clock, instances)
    under_way: list[tuple[float, Pacer, CallPermit]] = []
    sent: list[float] = []
    started = 0
    while len(sent) < first + 20 * len(lags):
        for entry in [entry for entry in under_way if entry[0] <= clock.now]:
            under_way.remove(entry)
            entry[1].sent(entry[2])
            sent.append(clock.now)
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            if permit := pacer.take():
                number, is_on_time = divmod(max(0, started - first), 20)
                lag = 0.0 if is_on_time or started < first else lags[min(number, len(lags) - 1)]
                under_way.append((clock.now + lag, pacer, permit))
                started += 1
        clock.advance(TICK)
    assert most_in_a_second(sent) <= 10
