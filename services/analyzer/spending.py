"""The budget at work: asks for blocks and settles them through the control log, and says when a lane must wait."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

from schemas.analysis_control import SpendReserved, SpendSettled
from schemas.event import Event, Lane
from services.analyzer.batching import LANES_IN_ORDER
from services.analyzer.budget import NANO, Budget, day_of
from services.analyzer.engine import Engine, Task, Usage
from services.analyzer.pacing import Clocks
from services.analyzer.wallet import Charge, Wallet
from services.runtime.logs import get_logger
from services.runtime.waiting import happened

_log = get_logger(__name__)

_LOOK_AGAIN_SECONDS: Final = 1.0
"""A new day, an idle block and what others gave back are seen this late."""
_SETTLE_SECONDS: Final = 5.0
"""At the end: a block that cannot be settled in this time stays spent."""

_WAITED_SECONDS: Final = 60.0
"""So long after it last waited for a new day a lane is said to go on."""


@runtime_checkable
class EstimatesCost(Protocol):
    """An engine whose calls cost."""

    def estimate_usage(self, batch: Sequence[Task]) -> Usage: ...
    def most_usd(self, batch: Sequence[Task]) -> float: ...


class LanesThatWait:
    """Lanes that are said to wait for a new day: from when they begin until they have not waited for a minute.

    The last of a budget is passed to and fro: what a call leaves, here or elsewhere, lets another start, several times
    a second. That a lane had money in between says nothing. Pure; the clock is a monotonic one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waited_at: dict[Lane, float] = {}

    @property
    def names(self) -> list[str]:
        return sorted(lane.value for lane in self._waited_at)

    def see(self, lanes: Collection[Lane]) -> bool:
        """These wait now; whether that changes what is said."""
        now, said = self._clock(), self._waited_at.keys()
        waited_at = self._waited_at | dict.fromkeys(lanes, now)
        self._waited_at = {lane: at for lane, at in waited_at.items() if now - at < _WAITED_SECONDS}
        return self._waited_at.keys() != said


class Spending:
    """Money for the calls of this instance, whichever engine they are of: the budget is one, prices are each one's own.

    `daily_usd` None is no limit; engines that cost nothing need none.
    """

    def __init__(
        self,
        daily_usd: float | None,
        *,
        engines: Mapping[str, Engine],
        clocks: Clocks,
        declare: Callable[[Event], Awaitable[None]],
        instance: str,
        on_change: Callable[[], None],
    ) -> None:
        self.daily_usd = daily_usd
        self._costs = {
            version: engine
            for version, engine in engines.items()
            if isinstance(engine, EstimatesCost) and engine.is_paced
        }
        self._clocks = clocks
        self._declare = declare
        self._instance = instance
        self._on_change = on_change
        self._budget = Budget(daily_usd or 0.0)
        self._wallet = Wallet(self._budget, clocks)
        self._changed = asyncio.Event()
        self._told = LanesThatWait(clocks.monotonic)

    def take(self, version: str, lane: Lane, tasks: Sequence[Task]) -> Charge | None:
        """The most that a call under a version may cost; None: no money now, `short_lanes` says for how long."""
        engine = self._costs.get(version)
        if engine is None:
            return Charge()
        most_usd = engine.most_usd(tasks) if self.daily_usd is not None else 0.0
        charge = self._wallet.take(lane, most_usd) if most_usd > 0 else Charge()
        self._changed.set()  # perhaps more is needed soon
        return charge and replace(charge, estimated_usd=engine.estimate_usage(tasks).cost_usd)

    def affordable(self, version: str, lane: Lane, tasks: Sequence[Task]) -> int:
        """Of how many of them, the first ones, a call can be paid from what is left today; at least one."""
        engine = self._costs.get(version)
        if engine is None or self.daily_usd is None:
            return len(tasks)

        def is_too_many(count: int) -> int:
            return not self._wallet.can_have(lane, engine.most_usd(tasks[:count]))

        # The cost rises with each, so that the first number which is too many is found by halves.
        return 1 + bisect_left(range(2, len(tasks) + 1), 1, key=is_too_many)

    def release(self, charge: Charge, spent_usd: float | None) -> None:
        """The call ended, and cost so much; None when nobody knows."""
        self._wallet.release(charge, spent_usd)
        self._changed.set()

    def short_lanes(self) -> Collection[Lane]:
        """Lanes that wait for money; while live waits, a replay does not take what comes."""
        short = self._wallet.short_lanes()
        return LANES_IN_ORDER if Lane.LIVE in short else short

    def lanes_without_budget(self) -> Collection[Lane]:
        """Lanes that wait because the day's budget is used up for them."""
        return self._wallet.lanes_without_budget()

    @property
    def reserved_usd(self) -> float:
        """What the fleet spent or reserved today."""
        return self._budget.reserved(day_of(self._clocks.wall())) / NANO

    def describe(self) -> str | None:
        """One sentence while a lane waits for money; None otherwise."""
        lanes = self.lanes_without_budget()
        if not lanes:
            return None
        names = " and ".join(lane.value for lane in lanes)
        wait = "" if self._wallet.lanes_beyond_budget() else ", or wait: work goes on when the UTC day ends"
        return (
            f"today's budget of ${self.daily_usd:g} has ${self.reserved_usd:.4f} spent or reserved, too little is left "
            f"for the next call of: {names}; nothing is dropped; raise ANALYZER_DAILY_BUDGET_USD and start the "
            f"analyzer again{wait}"
        )

    def reserved(self, event: Event, at: float, _: int) -> None:
        """The control log holds a reservation."""
        assert isinstance(event, SpendReserved)
        is_granted = self._budget.reserve(event.reservation_id, event.amount_usd, at, event.daily_budget_usd)
        self._wallet.reserved(event.reservation_id, is_granted=is_granted, at=at)
        self._see()

    def settled(self, event: Event, _: float, __: int) -> None:
        """The control log holds a settlement."""
        assert isinstance(event, SpendSettled)
        self._budget.settle(event.reservation_id, event.spent_usd)
        self._see()

    def _see(self) -> None:
        self._changed.set()
        self._on_change()

    async def run(self) -> None:
        """Ask and settle, for ever."""
        if not self._costs or self.daily_usd is None:
            return
        while True:
            self._changed.clear()
            await self._settle()
            request = self._wallet.next_request()
            if request is not None:
                await self._declare(
                    SpendReserved(
                        reservation_id=request.reservation_id,
                        amount_usd=request.amount / NANO,
                        reserved_by=self._instance,
                        daily_budget_usd=self.daily_usd,
                    )
                )
            self._tell()
            await happened(self._changed, within_seconds=_LOOK_AGAIN_SECONDS)

    async def close(self) -> None:
        """Give back what no call draws on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._settle(is_end=True)

    async def _settle(self, *, is_end: bool = False) -> None:
        for reservation_id, spent_usd in self._wallet.settlements(is_end=is_end):
            await self._declare(
                SpendSettled(reservation_id=reservation_id, spent_usd=spent_usd, settled_by=self._instance)
            )

    def _tell(self) -> None:
        """Log once when a lane begins to wait for a new day, and once when it goes on."""
        if self._told.see(self.lanes_without_budget()):
            reserved_usd = round(self.reserved_usd, 6)
            _log.warning("budget_changed", lanes_that_wait=self._told.names, reserved_usd=reserved_usd)
