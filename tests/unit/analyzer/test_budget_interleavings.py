"""Whatever happens, no day costs more than its budget, and only killed blocks leak."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Lane
from services.analyzer.budget import NANO, day_of, nano
from services.analyzer.wallet import Charge
from tests.unit.analyzer.wallets import DAILY, Fleet

CHANGED = (DAILY, 0.3, 2.5)
"""What its owner makes of the budget while the day goes on."""

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
            charge = instance.wallet.take(lane, size / 100)
            if charge is not None:
                instance.calls.append((charge, day_of(self.fleet.clock.wall())))
        elif what == "kill":
            self.kill(which, CHANGED[size % len(CHANGED)])
        elif instance.calls:
            charge, day = instance.calls.pop(size % len(instance.calls))
            cost = charge.amount if what == "lose" else charge.amount * size // 60
            self.note(charge, day, cost)
            instance.wallet.release(charge, None if what == "lose" else cost / NANO)

    def kill(self, which: int, daily: float) -> None:
        """Kill an instance, and start one in its place under another budget, perhaps."""
        instance = self.fleet.instances[which]
        for charge, day in instance.calls:
            self.note(charge, day, charge.amount)  # the provider may well have finished them
        self.killed += sum(block.amount for block in instance.wallet._blocks)
        if instance.wallet._asked is not None:  # it is in the log, and nobody will spend it
            self.killed += instance.wallet._asked.amount
        self.fleet.instances[which] = self.fleet.start(daily)
        self.fleet.instances.pop()

    def end(self) -> None:
        for instance in self.fleet.instances:
            instance.follow()
            for charge, day in instance.calls:
                self.note(charge, day, charge.amount)
                instance.wallet.release(charge, None)
            for id_, usd in instance.wallet.settlements(is_end=True):
                self.fleet.append("settled", id_, usd, instance.daily)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_no_interleaving_of_instances_kills_and_changes_exceeds_the_budget(
    steps: list[tuple[str, int, int, Lane]],
) -> None:
    story = Story()
    for _ in range(4):
        story.fleet.start()
    for step in steps:
        story.step(*step)
    story.end()
    budgets: dict[int, float] = {}
    for kind, _, _, at, daily in story.fleet.log:
        if kind == "reserved":
            budgets[day_of(at)] = max(daily, budgets.get(day_of(at), 0.0))
    for day, total in story.spent.items():
        assert total <= nano(budgets[day]), "a day cost more than the greatest budget that was asked for under"

    readers = [story.fleet.start(daily) for daily in CHANGED]
    for reader in readers:
        reader.follow()
    last = max(budgets, default=20_000)
    remembered = range(last - 9, last + 1)
    sums = [[reader.wallet.budget.reserved(day) for day in remembered] for reader in readers]
    assert sums == [sums[0]] * len(CHANGED), "what was granted depends on the budget of who reads"
    reserved = sum(sums[0])
    spent, rounding = sum(story.spent.get(day, 0) for day in remembered), len(story.fleet.log)
    assert spent - rounding <= reserved, "money was spent that the log does not know of"
    assert reserved <= spent + story.killed + rounding, "more leaked than the killed blocks"
