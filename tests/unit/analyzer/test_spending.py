"""The budget at work, over a control log that is a list: what it asks for, and what it says while a lane waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from schemas.analysis_control import SpendReserved, SpendSettled
from schemas.event import Event, Lane
from services.analyzer.engine import Answer, Task, Usage
from services.analyzer.spending import LanesThatWait, Spending
from services.analyzer.wallet import Charge
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.windows import a_task
from tests.waiting import eventually

PAID = "grok-4.3-p1"
BATCH = [a_task("a")]


class Paid:
    """An engine whose every call costs five cents."""

    name = "paid"
    analysis_version = PAID
    is_paced = True

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        raise AssertionError("nobody asks it here")

    def estimate_usage(self, batch: Sequence[Task]) -> Usage:
        return Usage(cost_usd=0.05 * len(batch))

    def most_usd(self, batch: Sequence[Task]) -> float:
        return 0.05 * len(batch)


class Log:
    """The control log: what is declared is there at once, for all who read it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[tuple[Event, float]] = []
        self.readers: list[Spending] = []

    async def declare(self, event: Event) -> None:
        self.events.append((event, self.clock.wall()))
        for reader in self.readers:
            self._apply(reader, event, self.clock.wall())

    def _apply(self, reader: Spending, event: Event, at: float) -> None:
        (reader.reserved if isinstance(event, SpendReserved) else reader.settled)(event, at, 0)

    @asynccontextmanager
    async def spending(self, daily_usd: float | None) -> AsyncIterator[Spending]:
        """Money of an instance that read the log and works; as with a kill, nothing is given back at the end."""
        spending = Spending(
            daily_usd,
            engines={PAID: Paid()},
            clocks=self.clock.clocks,
            declare=self.declare,
            instance="one",
            on_change=lambda: None,
        )
        for event, at in self.events:
            self._apply(spending, event, at)
        self.readers.append(spending)
        working = asyncio.create_task(spending.run())
        try:
            yield spending
        finally:
            self.readers.remove(spending)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

    def reserved(self) -> list[SpendReserved]:
        return [event for event, _ in self.events if isinstance(event, SpendReserved)]


async def _call(spending: Spending) -> None:
    """Make a call and pay what it may cost."""

    def charge() -> Charge | None:
        return spending.take(PAID, Lane.LIVE, BATCH)

    taken = await eventually(charge, every_seconds=0.001)
    assert taken is not None
    spending.release(taken, 0.05)


async def test_what_was_spent_under_a_higher_budget_counts_under_the_lowered_one() -> None:
    log = Log()
    async with log.spending(5.0) as before:
        for _ in range(13):
            await _call(before)
        spent_usd = before.reserved_usd
    assert spent_usd >= 0.65
    async with log.spending(0.6) as after:
        assert after.reserved_usd == spent_usd
        assert after.take(PAID, Lane.LIVE, BATCH) is None
        assert after.lanes_without_budget() == [Lane.LIVE]
        said = after.describe() or ""
    assert said.startswith(f"today's budget of $0.6 has ${spent_usd:.4f} spent or reserved")
    assert said.endswith(
        "raise ANALYZER_DAILY_BUDGET_USD and start the analyzer again, or wait: work goes on when the UTC day ends"
    )


async def test_a_reservation_states_the_budget_under_which_it_is_asked_for() -> None:
    log = Log()
    async with log.spending(0.5) as spending:
        await _call(spending)
    async with log.spending(0.8) as spending:
        await _call(spending)
    stated = [event.daily_budget_usd for event in log.reserved()]
    assert stated == [0.5] * stated.count(0.5) + [0.8] * stated.count(0.8)
    assert set(stated) == {0.5, 0.8}


async def test_an_old_reservation_which_states_no_budget_is_judged_by_the_own_one() -> None:
    log = Log()
    old = SpendReserved.model_validate_json(
        '{"reservation_id": "5f3a9f0e-30c5-4dfb-a1df-a3de5e2b7c55", "amount_usd": 0.7, "reserved_by": "old"}'
    )
    await log.declare(old)
    async with log.spending(1.0) as higher, log.spending(0.6) as lower:
        assert (higher.reserved_usd, lower.reserved_usd) == (0.7, 0.0)
        await log.declare(SpendSettled(reservation_id=old.reservation_id, spent_usd=0.2, settled_by="old"))
        assert (higher.reserved_usd, lower.reserved_usd) == (0.2, 0.0)


async def test_a_budget_that_no_call_fits_into_is_not_said_to_go_on_tomorrow() -> None:
    async with Log().spending(0.0) as spending:
        assert spending.take(PAID, Lane.LIVE, BATCH) is None
        said = spending.describe() or ""
    assert said.endswith("nothing is dropped; raise ANALYZER_DAILY_BUDGET_USD and start the analyzer again")


async def test_what_is_left_of_the_day_suffices_for_a_smaller_batch() -> None:
    tasks = [a_task(str(number)) for number in range(10)]
    async with Log().spending(0.27) as spending:
        assert spending.affordable(PAID, Lane.LIVE, tasks) == 5
        assert spending.affordable(PAID, Lane.LIVE, tasks[:3]) == 3
        assert spending.affordable(PAID, Lane.REPLAY, tasks) == 4, "the last tenth is for live traffic"
        assert spending.affordable("offline-2", Lane.LIVE, tasks) == 10
        taken = await eventually(lambda: spending.take(PAID, Lane.LIVE, tasks[:5]), every_seconds=0.001)
        assert taken is not None
        assert spending.affordable(PAID, Lane.LIVE, tasks) == 1, "at least one waits for its money"
        spending.release(taken, 0.05)
        assert spending.affordable(PAID, Lane.LIVE, tasks) == 4, "what comes back is there again"
    async with Log().spending(None) as spending:
        assert spending.affordable(PAID, Lane.LIVE, tasks) == 10


def test_a_lane_is_said_to_go_on_when_it_has_not_waited_for_a_minute() -> None:
    clock = FakeClock()
    lanes = LanesThatWait(clock.monotonic)
    assert not lanes.see([])
    assert lanes.see([Lane.LIVE])
    for _ in range(100):
        clock.advance(0.3)
        assert not lanes.see([])
        clock.advance(0.3)
        assert not lanes.see([Lane.LIVE])
    assert lanes.see([Lane.LIVE, Lane.REPLAY])
    assert lanes.names == ["live", "replay"]
    clock.advance(59)
    assert not lanes.see([Lane.REPLAY])
    clock.advance(1.01)
    assert lanes.see([Lane.REPLAY])
    assert lanes.names == ["replay"]
    clock.advance(60.01)
    assert lanes.see([])
    assert lanes.names == []


async def test_the_last_of_a_budget_that_goes_to_and_fro_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    async with log.spending(0.05) as spending:

        async def look() -> None:
            spending.release(Charge(), None)
            await eventually(lambda: not spending._changed.is_set(), every_seconds=0.001)

        for _ in range(3):
            taken = await eventually(lambda: spending.take(PAID, Lane.LIVE, BATCH), every_seconds=0.001)
            assert taken is not None
            assert spending.take(PAID, Lane.LIVE, BATCH) is None
            assert spending.lanes_without_budget() == [Lane.LIVE]
            await look()
            spending.release(taken, 0.0)
            assert spending.lanes_without_budget() == []
            await look()
        assert [vars(record)["undertone_fields"]["lanes_that_wait"] for record in caplog.records] == [["live"]]
        log.clock.advance(61)
        await look()
        assert [vars(record)["undertone_fields"]["lanes_that_wait"] for record in caplog.records] == [["live"], []]
