"""Holds of the fleet."""

import pytest

from schemas.analysis_control import HoldDeclared
from schemas.event import Lane
from services.analyzer.holds import LONG_HOLD_SECONDS, LONGEST_PROBE_SECONDS, PROBE_ANSWERED, Holds
from services.analyzer.readiness import describe_holds
from tests.unit.analyzer.fakes import FakeClock


def _hold(seconds: float, lane: Lane | None = None) -> HoldDeclared:
    return HoldDeclared(hold_seconds=seconds, lane=lane, reason="429", declared_by="analyzer-1")


def test_a_hold_counts_from_the_brokers_time_of_its_record() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(60), clock.wall() - 20)
    assert holds.active()[Lane.LIVE].until == pytest.approx(clock.now + 40)
    assert set(holds.active()) == {Lane.LIVE, Lane.REPLAY}
    clock.advance(40.01)
    assert holds.active() == {}


def test_one_lane_can_be_held_alone() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(60, Lane.REPLAY), clock.wall())
    assert set(holds.active()) == {Lane.REPLAY}


def test_of_two_holds_the_later_end_counts_in_either_order() -> None:
    for first, second in ((60, 5), (5, 60)):
        clock = FakeClock()
        holds = Holds(clock.clocks)
        holds.apply(_hold(first), clock.wall())
        holds.apply(_hold(second), clock.wall())
        assert holds.active()[Lane.LIVE].until == pytest.approx(clock.now + 60)


def test_a_hold_of_zero_seconds_ends_it_and_tells() -> None:
    clock = FakeClock()
    ended: list[Lane] = []
    holds = Holds(clock.clocks, ended.append)
    holds.apply(_hold(60), clock.wall())
    holds.apply(_hold(0, Lane.LIVE), clock.wall())
    assert set(holds.active()) == {Lane.REPLAY}
    assert ended == [Lane.LIVE]


def test_a_hold_that_ended_before_the_log_was_read_changes_nothing() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(60), clock.wall() - 61)
    assert holds.active() == {}


def test_a_clock_that_jumps_neither_ends_nor_prolongs_a_hold() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(60), clock.wall())
    clock.jump(-3_600)
    clock.advance(59)
    assert holds.active()
    clock.advance(1.01)
    assert not holds.active()


def test_a_writer_whose_clock_is_ahead_cannot_hold_for_longer_than_it_says() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(60), clock.wall() + 500)
    assert holds.active()[Lane.LIVE].until == pytest.approx(clock.now + 60)


def test_a_very_long_hold_ends_after_two_hours_and_is_told_apart() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(86_400), clock.wall())
    assert holds.active()[Lane.LIVE].until == pytest.approx(clock.now + LONG_HOLD_SECONDS)
    assert holds.active()[Lane.LIVE].is_long


def test_after_a_hold_of_all_a_probe_is_awaited_until_it_is_answered() -> None:
    clock = FakeClock()
    ended: list[Lane] = []
    holds = Holds(clock.clocks, ended.append)
    holds.apply(_hold(5), clock.wall())
    assert not holds.awaits_probe(), "it is still held"
    clock.advance(5.01)
    assert holds.awaits_probe()
    answered = HoldDeclared(hold_seconds=0, reason=PROBE_ANSWERED, declared_by="analyzer-1")
    holds.apply(answered, clock.wall())
    assert not holds.awaits_probe()
    assert ended == [], "a lane that waits for a person still does"


def test_a_probe_is_not_awaited_for_ever_nor_after_a_hold_of_one_lane() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(5, Lane.REPLAY), clock.wall())
    clock.advance(6)
    assert not holds.awaits_probe()
    holds.apply(_hold(5), clock.wall())
    clock.advance(6)
    assert holds.awaits_probe()
    clock.advance(LONGEST_PROBE_SECONDS)
    assert not holds.awaits_probe()


def test_a_new_hold_is_followed_by_a_new_probe() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(_hold(5), clock.wall())
    clock.advance(6)
    holds.apply(_hold(5), clock.wall())
    assert not holds.awaits_probe()
    clock.advance(6)
    assert holds.awaits_probe()


def test_what_a_provider_asked_for_holds_engines_that_cost_only() -> None:
    clock = FakeClock()
    holds = Holds(clock.clocks)
    holds.apply(HoldDeclared(hold_seconds=60, paid_only=True, reason="429", declared_by="analyzer-1"), clock.wall())
    assert set(holds.active()) == {Lane.LIVE, Lane.REPLAY}
    assert holds.active(costs=False) == {}
    holds.apply(_hold(5, Lane.LIVE), clock.wall())
    assert set(holds.active(costs=False)) == {Lane.LIVE}
    assert holds.active()[Lane.LIVE].until == pytest.approx(clock.now + 60), "the later end counts"
    clock.advance(6)
    assert holds.active(costs=False) == {}
    holds.apply(_hold(0), clock.wall())
    assert holds.active() == {}


def test_what_is_told_of_holds_names_their_ends_by_the_wall_clock() -> None:
    clock = FakeClock(wall=1_700_000_000.25)
    holds = Holds(clock.clocks)
    assert describe_holds(holds) == {"holds": {}, "held_until": {}}
    holds.apply(_hold(60, Lane.REPLAY), clock.wall() - 20)
    told = {"holds": {"replay": "429"}, "held_until": {"replay": "2023-11-14T22:14:00+00:00"}}
    assert describe_holds(holds) == told
    clock.advance(30)
    assert describe_holds(holds) == told
    clock.advance(11)
    assert describe_holds(holds) == {"holds": {}, "held_until": {}}
