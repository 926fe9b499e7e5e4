"""Granted money: what is granted, what a call takes and gives back, and what a budget that changes remembers."""

from uuid import uuid4

import pytest

from schemas.event import Lane
from services.analyzer.budget import DAY_SECONDS, Budget, nano
from services.analyzer.wallet import BLOCK_PART, IDLE_SECONDS
from tests.unit.analyzer.wallets import DAILY, MIDNIGHT, Fleet


def test_the_first_reservations_of_the_log_that_fit_are_granted_at_every_instance() -> None:
    readers = [Budget(DAILY), Budget(DAILY)]
    asked = [(uuid4(), usd) for usd in (0.5, 0.4, 0.2, 0.1)]
    for budget in readers:
        assert [budget.reserve(id_, usd, MIDNIGHT) for id_, usd in asked] == [True, True, False, True]
        assert budget.reserved(20_000) == budget.daily


def test_a_record_that_was_written_twice_counts_once() -> None:
    budget, id_ = Budget(DAILY), uuid4()
    for _ in range(3):
        assert budget.reserve(id_, 0.6, MIDNIGHT)
    for _ in range(3):
        budget.settle(id_, 0.1)
    assert budget.reserve(id_, 0.6, MIDNIGHT), "a copy after the settlement"
    assert budget.reserved(20_000) == nano(0.1)


def test_a_record_that_states_more_money_than_a_float_can_count_ends_nothing() -> None:
    budget, id_ = Budget(DAILY), uuid4()
    assert not budget.reserve(uuid4(), 1e308, MIDNIGHT)
    assert budget.reserve(id_, 0.5, MIDNIGHT, daily_usd=1e308)
    budget.settle(id_, 1e308)
    assert not budget.reserve(uuid4(), 0.1, MIDNIGHT)


def test_a_day_begins_anew_at_midnight_utc() -> None:
    budget = Budget(DAILY)
    assert budget.reserve(uuid4(), 1.0, MIDNIGHT + DAY_SECONDS - 0.001)
    assert not budget.reserve(uuid4(), 0.1, MIDNIGHT + DAY_SECONDS - 0.001)
    assert budget.reserve(uuid4(), 1.0, MIDNIGHT + DAY_SECONDS)


def test_a_call_takes_its_most_and_gives_back_the_rest() -> None:
    instance = Fleet().start()
    charge = instance.get(0.004)
    assert charge is not None
    instance.wallet.release(charge, 0.001)
    assert instance.reserved() == pytest.approx(BLOCK_PART * DAILY)
    instance.fleet.clock.advance(IDLE_SECONDS + 1)
    instance.work()
    assert instance.reserved() == pytest.approx(0.001)


def test_a_call_whose_cost_nobody_knows_has_cost_its_most() -> None:
    instance = Fleet().start()
    charge = instance.get(0.004)
    assert charge is not None
    instance.wallet.release(charge, None)
    for id_, spent in instance.wallet.settlements(is_end=True):
        instance.fleet.append("settled", id_, spent, instance.daily)
    assert instance.reserved() == pytest.approx(0.004)


def test_a_call_dearer_than_a_block_gets_a_block_of_its_own_size() -> None:
    instance = Fleet().start()
    assert instance.get(0.3) is not None
    assert instance.reserved() == pytest.approx(0.3)


def test_a_used_budget_holds_until_the_day_ends_and_then_work_goes_on() -> None:
    instance = Fleet().start()
    while instance.get(0.05) is not None:
        pass
    assert instance.wallet.lanes_without_budget() == [Lane.LIVE]
    instance.fleet.clock.advance(DAY_SECONDS)
    instance.work()
    instance.follow()
    assert instance.wallet.short_lanes() == []
    assert instance.get(0.05) is not None


def test_money_of_yesterday_is_not_spent_today() -> None:
    instance = Fleet().start()
    assert instance.get(0.001) is not None
    instance.fleet.clock.advance(DAY_SECONDS)
    assert instance.wallet.take(Lane.LIVE, 0.001) is None


def test_a_replay_leaves_the_last_tenth_to_the_live_lane() -> None:
    instance = Fleet().start()
    while instance.get(0.05, Lane.REPLAY) is not None:
        pass
    assert instance.reserved() <= 0.9 * DAILY
    assert instance.wallet.lanes_without_budget() == [Lane.REPLAY]
    assert instance.get(0.05, Lane.LIVE) is not None


def test_what_dear_calls_leave_of_their_blocks_is_not_kept_from_the_next_ones_for_a_cheaper_lane() -> None:
    instance = Fleet().start()
    cheap = instance.get(0.001)
    assert cheap is not None
    instance.wallet.release(cheap, 0.001)
    for _ in range(40):  # each reserves a tenth of the day's budget, and spends a thousandth
        charge = instance.get(0.1, Lane.REPLAY)
        assert charge is not None, instance.reserved()
        instance.wallet.release(charge, 0.001)
        instance.work()
        instance.follow()
    assert instance.reserved() < 0.5


def test_without_a_budget_there_is_no_call() -> None:
    instance = Fleet(daily=0.0).start()
    assert instance.get(0.0001) is None
    assert instance.fleet.log == []


def test_a_reservation_counts_as_it_was_judged_whatever_the_budget_of_its_reader_is() -> None:
    asked = [(0.5, 1.0, True), (0.2, 0.6, False), (0.3, 1.0, True), (0.1, 0.2, False), (0.7, 2.0, True)]
    for own in (0.1, 1.0, 9.0):
        budget = Budget(own)
        for usd, stated, is_granted in asked:
            assert budget.reserve(uuid4(), usd, MIDNIGHT, stated) is is_granted
        assert budget.reserved(20_000) == nano(1.5)


def test_a_budget_that_is_lowered_during_the_day_knows_what_was_spent_of_the_higher_one() -> None:
    fleet = Fleet(daily=5.0)
    before = fleet.start()
    while before.reserved() < 0.65:
        charge = before.get(0.05)
        assert charge is not None
        before.wallet.release(charge, 0.05)
    after = fleet.start(daily=0.6)
    assert after.reserved() == before.reserved()
    assert after.get(0.01) is None
    assert after.wallet.lanes_without_budget() == [Lane.LIVE]
    assert after.wallet.lanes_beyond_budget() == []
    fleet.clock.advance(DAY_SECONDS)
    assert after.get(0.01) is not None, "a new day"


def test_a_budget_that_is_raised_during_the_day_adds_to_what_was_spent() -> None:
    fleet = Fleet(daily=0.2)
    before = fleet.start()
    while before.get(0.05) is not None:
        pass
    after = fleet.start(daily=0.4)
    while after.get(0.05) is not None:
        pass
    assert after.reserved() == before.reserved() == pytest.approx(0.4)


def test_a_call_dearer_than_the_whole_budget_waits_for_no_new_day() -> None:
    instance = Fleet(daily=0.1).start()
    assert instance.get(0.2) is None
    assert instance.wallet.lanes_beyond_budget() == [Lane.LIVE]


def test_a_refused_reservation_is_not_repeated_at_once() -> None:
    fleet = Fleet()
    first, second = fleet.start(), fleet.start()
    for instance in (first, second):  # both ask for everything before either has read the other's record
        assert instance.wallet.take(Lane.LIVE, 0.9) is None
        instance.work()
    first.follow()
    second.follow()
    assert first.wallet.take(Lane.LIVE, 0.9) is not None
    assert second.wallet.take(Lane.LIVE, 0.9) is None
    for _ in range(10):
        second.work()
    assert len(fleet.log) == 2
