"""Granted money: whatever happens, no day costs more than its budget, and only killed blocks leak."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Lane
from services.analyzer.budget import BLOCK_PART, DAY_SECONDS, IDLE_SECONDS, NANO, Budget, Charge, Wallet, day_of, nano
from tests.unit.analyzer.fakes import FakeClock

DAILY = 1.0
MIDNIGHT = 20_000 * DAY_SECONDS


@dataclass
class Fleet:
    """Instances and the log that they share; each reads it at its own speed."""

    daily: float = DAILY
    clock: FakeClock = field(default_factory=lambda: FakeClock(wall=MIDNIGHT + 1_000))
    log: list[tuple[str, UUID, float, float]] = field(default_factory=list)
    instances: "list[Instance]" = field(default_factory=list)

    def start(self) -> "Instance":
        instance = Instance(self, Wallet(Budget(self.daily), self.clock.clocks))
        self.instances.append(instance)
        return instance

    def append(self, kind: str, reservation_id: UUID, usd: float) -> None:
        self.log.append((kind, reservation_id, usd, self.clock.wall()))


@dataclass
class Instance:
    """One process: its wallet, how far it has read, and its calls in flight."""

    fleet: Fleet
    wallet: Wallet
    read: int = 0
    calls: list[tuple[Charge, int]] = field(default_factory=list)
    """With the day on which each started."""

    def work(self) -> None:
        """What the loop does: settle, ask."""
        for reservation_id, spent in self.wallet.settlements():
            self.fleet.append("settled", reservation_id, spent)
        request = self.wallet.next_request()
        if request is not None:
            self.fleet.append("reserved", request.reservation_id, request.amount / NANO)

    def follow(self, records: int = 1_000) -> None:
        for kind, reservation_id, usd, at in self.fleet.log[self.read : self.read + records]:
            self.read += 1
            if kind == "settled":
                self.wallet.budget.settle(reservation_id, usd)
            else:
                is_granted = self.wallet.budget.reserve(reservation_id, usd, at)
                self.wallet.reserved(reservation_id, is_granted=is_granted, at=at)

    def get(self, usd: float, lane: Lane = Lane.LIVE) -> Charge | None:
        """Take money, asking for it where there is none."""
        charge = self.wallet.take(lane, usd)
        if charge is None:
            self.work()
            self.follow()
            charge = self.wallet.take(lane, usd)
        return charge

    def reserved(self) -> float:
        self.follow()
        return self.wallet.budget.reserved(day_of(self.fleet.clock.wall())) / NANO


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
        instance.fleet.append("settled", id_, spent)
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


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "end", "end", "lose", "work", "work", "read", "read", "kill", "wait"]),
        st.integers(0, 3),
        st.integers(1, 60),
        st.sampled_from([Lane.LIVE, Lane.REPLAY]),
    ),
    max_size=250,
)


@dataclass
class Story:
    """Instances that start, call, read slowly and are killed; and what their calls really cost."""

    fleet: Fleet = field(default_factory=Fleet)
    spent: dict[int, int] = field(default_factory=dict)
    killed: int = 0

    def note(self, charge: Charge, day: int, cost: int) -> None:
        assert cost <= charge.amount
        self.spent[day] = self.spent.get(day, 0) + cost

    def step(self, what: str, which: int, size: int, lane: Lane) -> None:
        instance = self.fleet.instances[which]
        if what == "work":
            instance.work()
        elif what == "read":
            instance.follow(size)
        elif what == "wait":
            self.fleet.clock.advance(size * 600)
        elif what == "take":
            charge = instance.wallet.take(lane, size / 500)
            if charge is not None:
                instance.calls.append((charge, day_of(self.fleet.clock.wall())))
        elif what == "kill":
            self.kill(which)
        elif instance.calls:
            charge, day = instance.calls.pop(size % len(instance.calls))
            cost = charge.amount if what == "lose" else charge.amount * size // 60
            self.note(charge, day, cost)
            instance.wallet.release(charge, None if what == "lose" else cost / NANO)

    def kill(self, which: int) -> None:
        instance = self.fleet.instances[which]
        for charge, day in instance.calls:
            self.note(charge, day, charge.amount)  # the provider may well have finished them
        self.killed += sum(block.amount for block in instance.wallet._blocks)
        if instance.wallet._asked is not None:  # it is in the log, and nobody will spend it
            self.killed += instance.wallet._asked.amount
        self.fleet.instances[which] = self.fleet.start()
        self.fleet.instances.pop()

    def end(self) -> None:
        for instance in self.fleet.instances:
            instance.follow()
            for charge, day in instance.calls:
                self.note(charge, day, charge.amount)
                instance.wallet.release(charge, None)
            for id_, usd in instance.wallet.settlements(is_end=True):
                self.fleet.append("settled", id_, usd)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_no_interleaving_of_instances_and_kills_exceeds_the_budget(
    steps: list[tuple[str, int, int, Lane]],
) -> None:
    story = Story()
    for _ in range(4):
        story.fleet.start()
    for step in steps:
        story.step(*step)
    story.end()
    assert all(total <= nano(DAILY) for total in story.spent.values()), "a day cost more than its budget"

    reader = story.fleet.start()
    reader.follow()
    reserved = sum(reader.wallet.budget.reserved(day) for day in range(20_000, 20_200))
    spent, rounding = sum(story.spent.values()), len(story.fleet.log)
    assert spent - rounding <= reserved, "money was spent that the log does not know of"
    assert reserved <= spent + story.killed + rounding, "more leaked than the killed blocks"
