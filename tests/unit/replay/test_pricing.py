"""What a replay takes: tokens, money and hours."""

import math
from dataclasses import replace

import pytest

from schemas.conversation_received import ConversationReceived
from tests.builders import a_conversation
from undertone.replay.course import seconds_of_a_call
from undertone.replay.pricing import Beside, Tally, Tariff, Tokens, Waits, price_of, room_today

ALONE = Beside()


def estimate(_: ConversationReceived) -> Tokens:
    return Tokens(100, 50, 200, 400)


TARIFF = Tariff(
    estimate=estimate,
    call=Tokens(400, 0, 800, 2_000),
    cost_usd=lambda given, taken: (given + 2 * taken) / 1_000_000,
    model="grok-4.3",
    price_from="the list price",
    calls_per_second=10,
    tokens_per_minute=0,
    first_batch=50,
    largest_batch=50,
    batch_tokens=100_000,
    window_seconds=0.25,
    most_in_flight=30_000,
    daily_budget_usd=None,
)


def tally_of(count: int, how: Tariff = TARIFF) -> Tally:
    tally = Tally()
    for number in range(count):
        tally.add(a_conversation(f"c{number}", f"My parcel {number} is late."), how, is_known=False)
    return tally


def test_tokens_and_money_follow_from_the_calls() -> None:
    price = price_of(tally_of(1_000), TARIFF, ALONE)
    assert price.calls == 20
    assert price.tokens == 1_000 * 150 + 20 * 400
    assert price.cost_usd == pytest.approx((1_000 * 100 + 20 * 400 + 2 * 1_000 * 50) / 1e6)
    assert price.most_usd == pytest.approx((1_000 * 200 + 20 * 800 + 2 * (1_000 * 400 + 20 * 2_000)) / 1e6)
    assert price.hours == pytest.approx((2 + seconds_of_a_call(50)) / 3600)


def test_small_batches_at_the_start_cost_instructions() -> None:
    small, large = (price_of(tally_of(300), replace(TARIFF, first_batch=size), ALONE) for size in (5, 50))
    assert small.calls > 5 * large.calls
    assert small.tokens - large.tokens == 400 * (small.calls - large.calls)
    assert small.cost_usd is not None
    assert large.cost_usd is not None
    assert small.cost_usd > large.cost_usd


def test_a_batch_holds_no_more_than_its_tokens() -> None:
    price = price_of(tally_of(100), replace(TARIFF, batch_tokens=1_500), ALONE)
    assert price.calls == 10


def test_what_is_sent_slowly_is_analysed_in_small_batches() -> None:
    calls = [price_of(tally_of(300), TARIFF, Beside(replay_per_second=rate)).calls for rate in (0, 2_000, 40, 2)]
    assert calls == [6, 6, 30, 300], "a window's worth is 10 at 40 a second, and 1 at 2"


def test_the_tokens_of_a_minute_may_be_the_narrower_limit() -> None:
    price = price_of(tally_of(1_000), replace(TARIFF, tokens_per_minute=1_000), ALONE)
    assert price.hours == pytest.approx(price.tokens / 1_000 / 60)


def test_live_traffic_goes_first() -> None:
    tally = tally_of(5_000)
    alone = price_of(tally, TARIFF, ALONE)
    beside = price_of(tally, TARIFF, Beside(live_per_second=400))
    assert beside.calls == alone.calls
    assert alone.hours == pytest.approx((10 + seconds_of_a_call(50)) / 3600)
    assert beside.hours == pytest.approx((50 + seconds_of_a_call(50)) / 3600), "8 of 10 calls a second are taken"
    assert price_of(tally, TARIFF, Beside(live_per_second=500)).hours is None, "nothing is left"


def test_little_live_traffic_takes_a_call_each_and_more_a_window_s_worth() -> None:
    tally = tally_of(5_000)
    hours = [price_of(tally, TARIFF, Beside(live_per_second=rate)).hours for rate in (0, 1, 4, 100)]
    assert hours == [pytest.approx((10 / part + seconds_of_a_call(50)) / 3600) for part in (1, 0.9, 0.6, 0.6)]


def test_live_tokens_go_first_too() -> None:
    how = replace(TARIFF, calls_per_second=0, tokens_per_minute=66_000)
    tally = tally_of(1_000, how)
    half = price_of(tally, how, Beside(live_per_second=1))
    assert half.hours == pytest.approx(half.tokens / 33_000 / 60), "550 tokens of a live one, sixty times a minute"


def test_known_and_equal_contents_cost_nothing() -> None:
    tally = Tally()
    tally.add(a_conversation("a", "same"), TARIFF, is_known=False)
    tally.add(a_conversation("b", "same"), TARIFF, is_known=False)
    tally.add(a_conversation("c", "known"), TARIFF, is_known=True)
    assert (tally.conversations, tally.known, tally.repeated, tally.to_analyse) == (3, 1, 1, 1)
    assert tally.tokens == Tokens(100, 50, 200, 400)


def test_nothing_left_to_analyse_costs_nothing() -> None:
    price = price_of(Tally(conversations=3, known=3), replace(TARIFF, daily_budget_usd=5), ALONE)
    assert (price.calls, price.tokens, price.cost_usd, price.hours, price.days_of_budget) == (0, 0, 0.0, 0.0, 0.0)


def test_a_small_budget_makes_days_of_what_would_take_seconds() -> None:
    price = price_of(tally_of(10), replace(TARIFF, daily_budget_usd=0.001), ALONE)
    assert price.cost_usd is not None
    assert price.days_of_budget == pytest.approx(price.cost_usd / 0.0009), "a tenth is for live traffic"
    assert price.days_of_budget is not None
    assert price.days_of_budget > 2
    days, part = divmod(price.days_of_budget, 1)
    assert price.hours is not None
    assert days * 24 < price.hours < days * 24 + part, "the rest begins with the budget of the last day"


def test_a_hold_comes_before_the_work() -> None:
    free, held = (price_of(tally_of(1_000), TARIFF, ALONE, Waits(held_seconds=held)).hours for held in (0.0, 1_800.0))
    assert free is not None
    assert held == pytest.approx(free + 0.5)


def test_a_budget_that_is_used_up_lets_a_replay_begin_with_the_next_day() -> None:
    rich = replace(TARIFF, daily_budget_usd=10.0)
    fresh = price_of(tally_of(1_000), rich, ALONE).hours
    assert fresh is not None
    for spent in (9.0, 10.0):
        used_up = Waits(spent_usd=spent, seconds_to_midnight=3_600)
        assert room_today(rich, used_up) == 0
        assert price_of(tally_of(1_000), rich, ALONE, used_up).hours == pytest.approx(1 + fresh)
    enough = Waits(spent_usd=8.0, seconds_to_midnight=3_600)
    assert price_of(tally_of(1_000), rich, ALONE, enough).hours == pytest.approx(fresh)


def test_a_budget_that_permits_no_call_never_ends() -> None:
    assert price_of(tally_of(10), replace(TARIFF, daily_budget_usd=0.0), ALONE).hours == math.inf


def test_without_a_price_there_is_no_sum_of_money() -> None:
    price = price_of(tally_of(10), replace(TARIFF, cost_usd=None, daily_budget_usd=5), ALONE)
    assert (price.cost_usd, price.most_usd, price.days_of_budget) == (None, None, None)
    assert price.calls
