"""What a replay takes at most."""

import pytest

from schemas.conversation_received import ConversationReceived
from tests.builders import a_conversation
from undertone.replay.pacing import Pacer
from undertone.replay.pricing import Tally, Tariff, price_of


def tariff(
    *, calls_per_second: float = 10, tokens_per_minute: float = 0, largest_batch: int = 50, budget: float | None = None
) -> Tariff:
    def estimate(_: ConversationReceived) -> tuple[int, int]:
        return 100, 50

    return Tariff(
        estimate=estimate,
        tokens_of_call=400,
        cost_usd=lambda given, taken: (given + 2 * taken) / 1_000_000,
        calls_per_second=calls_per_second,
        tokens_per_minute=tokens_per_minute,
        largest_batch=largest_batch,
        batch_tokens=100_000,
        daily_budget_usd=budget,
    )


def tally_of(count: int, how: Tariff) -> Tally:
    tally = Tally()
    for number in range(count):
        tally.add(a_conversation(f"c{number}", f"My parcel {number} is late."), how, is_known=False)
    return tally


def test_calls_tokens_money_and_hours_follow_from_the_batch_and_the_rate() -> None:
    how = tariff()
    price = price_of(tally_of(1_000, how), how)
    assert price.calls == 20
    assert price.tokens == 1_000 * 150 + 20 * 400
    assert price.cost_usd == pytest.approx((1_000 * 100 + 20 * 400 + 2 * 1_000 * 50) / 1_000_000)
    assert price.hours == pytest.approx(2 / 3600)


def test_the_tokens_of_a_minute_may_be_the_narrower_limit() -> None:
    how = tariff(tokens_per_minute=1_000)
    price = price_of(tally_of(100, how), how)
    assert price.hours == pytest.approx(price.tokens / 1_000 / 60)


def test_known_and_equal_contents_cost_nothing() -> None:
    how = tariff()
    tally = Tally()
    tally.add(a_conversation("a", "same"), how, is_known=False)
    tally.add(a_conversation("b", "same"), how, is_known=False)
    tally.add(a_conversation("c", "known"), how, is_known=True)
    assert (tally.conversations, tally.known, tally.repeated, tally.to_analyse) == (3, 1, 1, 1)
    assert (tally.input_tokens, tally.output_tokens) == (100, 50)


def test_nothing_left_to_analyse_costs_nothing() -> None:
    how = tariff(budget=5)
    price = price_of(Tally(conversations=3, known=3), how)
    assert (price.calls, price.tokens, price.cost_usd, price.hours, price.days_of_budget) == (0, 0, 0.0, 0.0, 0.0)


def test_a_small_budget_is_told_in_days() -> None:
    how = tariff(budget=0.001)
    price = price_of(tally_of(10, how), how)
    assert price.days_of_budget == pytest.approx(price.cost_usd / 0.001)


async def test_no_more_than_the_rate_pass_in_any_second() -> None:
    now = 0.0
    passed: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pacer = Pacer(200, lambda: now, sleep)
    assert pacer.step == 20
    for _ in range(30):
        await pacer.wait(100)
        passed.append((now, 100))
    assert [moment for moment, _ in passed] == pytest.approx([number * 0.5 for number in range(30)])
    now += 60  # an idle minute gives no credit
    await pacer.wait(100)
    before = now
    await pacer.wait(100)
    assert now - before == pytest.approx(0.5)


async def test_a_rate_of_zero_is_no_limit() -> None:
    async def sleep(_: float) -> None:
        raise AssertionError("nobody waits")

    pacer = Pacer(0, lambda: 0.0, sleep)
    await pacer.wait(1_000_000)
