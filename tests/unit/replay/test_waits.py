"""What keeps a replay from starting, by the records of the control log, and how a dry run says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from schemas.analysis_control import HoldDeclared, SpendReserved, SpendSettled
from schemas.event import Event, Lane
from schemas.topics import CONTROL
from services.analyzer.pacing import Clocks
from tests.builders import a_record
from tests.unit.replay.test_pricing import ALONE, TARIFF, tally_of
from undertone.replay.control import Control
from undertone.replay.pricing import NO_WAITS, Waits, price_of
from undertone.replay.quotes import quote_lines, quote_members
from undertone.replay.quoting import Cost, Quote

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RICH = replace(TARIFF, daily_budget_usd=10.0)


def after(*events: tuple[Event, timedelta], costs: bool = True) -> Waits:
    """How things stand at noon after these events, each so long before."""
    control = Control(10.0, Clocks(monotonic=lambda: 0.0, wall=NOON.timestamp))
    for event, ago in events:
        control.apply(a_record(event, "hold", topic=CONTROL, timestamp=NOON - ago))
    return control.waits(costs=costs)


def a_hold(seconds: float, lane: Lane | None = None, *, paid_only: bool = False) -> HoldDeclared:
    return HoldDeclared(hold_seconds=seconds, lane=lane, paid_only=paid_only, reason="a pause", declared_by="kim")


def reserved(usd: float) -> SpendReserved:
    return SpendReserved(reservation_id=uuid4(), amount_usd=usd, reserved_by="a-1", daily_budget_usd=10.0)


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("lane", [None, Lane.REPLAY])
def test_a_hold_of_the_replay_lane_is_told_with_what_is_left_of_it(lane: Lane | None) -> None:
    found = after((a_hold(1_800, lane), 10 * MINUTE))
    assert found.held_seconds == pytest.approx(1_200)
    assert found.hold_reason == "a pause"


def test_holds_that_ended_were_released_or_are_of_live_traffic_keep_no_replay_waiting() -> None:
    assert after((a_hold(60), 10 * MINUTE)).held_seconds == 0
    assert after((a_hold(1_800), 10 * MINUTE), (a_hold(0), MINUTE)).held_seconds == 0
    assert after((a_hold(1_800, Lane.LIVE), MINUTE)).held_seconds == 0


def test_what_a_provider_asked_for_holds_no_engine_that_costs_nothing() -> None:
    assert after((a_hold(1_800, paid_only=True), MINUTE), costs=False).held_seconds == 0
    assert after((a_hold(1_800, paid_only=True), MINUTE), costs=True).held_seconds > 0


def test_the_money_of_today_is_what_is_reserved_and_not_given_back() -> None:
    block = reserved(4.0)
    settled = SpendSettled(reservation_id=block.reservation_id, spent_usd=1.5, settled_by="a-1")
    found = after((reserved(3.0), timedelta(hours=13)), (block, 2 * MINUTE), (settled, MINUTE), (reserved(2.0), MINUTE))
    assert found.spent_usd == pytest.approx(3.5), "yesterday's 3 do not count"
    assert found.seconds_to_midnight == 12 * 3_600


def lines_of(waits: Waits, *, costs: bool = True) -> str:
    tally = tally_of(1_000)
    cost = Cost(RICH, ALONE, price_of(tally, RICH, ALONE, waits)) if costs else None
    found = Quote("grok-4.3-p1", tally, {}, cost, waits)
    assert quote_members(found)["held_seconds"] == round(waits.held_seconds, 1)
    return next((line for line in quote_lines(found) if line.startswith("  time")), "")


def test_the_line_about_time_says_that_the_lane_is_held_and_until_when_there_is_no_money() -> None:
    assert "held" not in lines_of(NO_WAITS)
    assert "budget" not in lines_of(NO_WAITS)
    held = lines_of(Waits(held_seconds=1_200, hold_reason="a \x1b[31mpause"))
    assert "begins in 20 min: the replay lane is held until then (a \N{REPLACEMENT CHARACTER}[31mpause" in held
    used_up = lines_of(Waits(spent_usd=9.5, seconds_to_midnight=3_600))
    assert "about 1 h" in used_up
    assert "today's budget is used up for replays until 00:00 UTC" in used_up
    assert "has 1% left for replays" in lines_of(Waits(spent_usd=8.91, seconds_to_midnight=3_600))


def test_a_hold_is_told_where_nothing_is_paid_for_too() -> None:
    assert lines_of(NO_WAITS, costs=False) == ""
    assert "begins in 20 min: the replay lane is held" in lines_of(Waits(held_seconds=1_200), costs=False)
