"""The money of one instance: blocks that the log granted it, what its calls draw on, what it asks for and gives back.

A call takes the most that it can cost out of a block before it starts and returns the rest when it ended. Pure; sums
are whole nanodollars.
"""

import math
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from schemas.event import Lane
from services.analyzer.batching import LANES_IN_ORDER
from services.analyzer.budget import DAY_SECONDS, NANO, Budget, day_of, nano
from services.analyzer.pacing import Clocks

BLOCK_PART: Final = 0.01
"""Of the day's budget: what is reserved at once, and so what a killed instance may leave unspent."""
LIVE_PART: Final = 0.1
"""The last part of the day's budget, which a replay leaves to the live lane."""
IDLE_SECONDS: Final = 60.0
"""A block that was not used for so long is given back."""
_ASK_AGAIN_SECONDS: Final = 5.0
"""After a refusal, which comes only when others asked first, or when the clock here is not the broker's."""


@dataclass(slots=True, eq=False)
class Block:
    """Granted money. Times are by the monotonic clock."""

    reservation_id: UUID
    amount: int
    left: int
    good_until: float
    """The end of its day: what is left then is not for the next one."""
    used_at: float
    calls: int = 0
    """Calls in flight that draw on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Charge:
    """The most that a call may cost, set aside for it; a call that needs no money has no block."""

    amount: int = 0
    block: Block | None = None
    estimated_usd: float = 0.0
    """What it will probably cost."""


@dataclass(slots=True)
class _Need:
    amount: int
    at: float
    is_short: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A reservation that is to be written to the log."""

    reservation_id: UUID
    amount: int
    asked_at: float


@dataclass(slots=True)
class Wallet:
    """The blocks of one instance: what its calls draw on, what to ask for, what to give back."""

    budget: Budget
    clocks: Clocks
    _blocks: list[Block] = field(default_factory=list)
    _needs: dict[Lane, _Need] = field(default_factory=dict)
    _asked: Request | None = None
    _refused_at: float = -math.inf

    def take(self, lane: Lane, most_usd: float) -> Charge | None:
        """Money for a call that costs at most so much; None when there is none now (then more is asked for)."""
        amount, now = nano(most_usd), self.clocks.monotonic()
        block = self._block_for(lane, amount)
        self._needs[lane] = _Need(amount, now, is_short=block is None)
        if block is None:
            return None
        block.left -= amount
        block.calls += 1
        block.used_at = now
        return Charge(amount, block)

    def can_have(self, lane: Lane, most_usd: float) -> bool:
        """Whether there is money for such a call, or may be as soon as it is asked for."""
        amount = nano(most_usd)
        room = self._limit(lane) - self.budget.reserved(self._today())
        return amount <= room or self._block_for(lane, amount) is not None

    def release(self, charge: Charge, spent_usd: float | None) -> None:
        """The call ended and cost so much; None when nobody knows: then all that was set aside is spent."""
        if charge.block is None:
            return
        charge.block.left += charge.amount - (charge.amount if spent_usd is None else nano(spent_usd))
        charge.block.calls -= 1

    def short_lanes(self) -> list[Lane]:
        """The lanes whose next call has no money yet."""
        for lane, need in self._needs.items():
            if need.is_short and self._block_for(lane, need.amount) is not None:
                need.is_short, need.at = False, self.clocks.monotonic()
        return [lane for lane, need in self._needs.items() if need.is_short]

    def lanes_without_budget(self) -> list[Lane]:
        """The lanes that wait because what is left of the day's budget is not enough for their next call."""
        today = self.budget.reserved(self._today())
        return [lane for lane in self.short_lanes() if today + self._needs[lane].amount > self._limit(lane)]

    def lanes_beyond_budget(self) -> list[Lane]:
        """Those of them whose next call may cost more than a whole day's budget has for them: no new day helps."""
        return [lane for lane in self.short_lanes() if self._needs[lane].amount > self._limit(lane)]

    def next_request(self) -> Request | None:
        """The reservation to write now, if any: one at a time, ahead of need."""
        now = self.clocks.monotonic()
        if self._asked is not None or now - self._refused_at < _ASK_AGAIN_SECONDS:
            return None
        for lane in LANES_IN_ORDER:
            need = self._needs.get(lane)
            if need is None or not self._asks(need, now):
                continue
            room = self._limit(lane) - self.budget.reserved(self._today())
            amount = max(need.amount, min(math.floor(self.budget.daily * BLOCK_PART), room))
            if 0 < amount <= room:
                self._asked = Request(uuid4(), amount, now)
                return self._asked
        return None

    def reserved(self, reservation_id: UUID, *, is_granted: bool, at: float) -> None:
        """The log holds a reservation; `at` is its broker timestamp. Those of others are none of our business."""
        asked = self._asked
        if asked is None or asked.reservation_id != reservation_id:
            return
        self._asked, now = None, self.clocks.monotonic()
        if not is_granted:
            self._refused_at = now
            return
        # It was asked before the broker wrote it, so its day does not end earlier than this.
        good_until = asked.asked_at + (day_of(at) + 1) * DAY_SECONDS - at
        self._blocks.append(Block(reservation_id, asked.amount, asked.amount, good_until, now))

    def settlements(self, *, is_end: bool = False) -> list[tuple[UUID, float]]:
        """Blocks to give back now, with what of them was spent in US dollars; they are ours no longer."""
        now = self.clocks.monotonic()
        unused = [block for block in self._blocks if block.calls == 0]
        in_the_way = self._in_the_way(unused)
        over = [block for block in unused if is_end or block in in_the_way or self._is_over(block, now)]
        self._blocks = [block for block in self._blocks if block not in over]
        return [(block.reservation_id, (block.amount - block.left) / NANO) for block in over]

    def _in_the_way(self, unused: list[Block]) -> list[Block]:
        """Blocks too small for a lane that waits for money: kept, they would use up the budget that it waits for.

        The largest one stays, for a lane whose calls are cheaper.
        """
        short = max((need.amount for need in self._needs.values() if need.is_short), default=0)
        return sorted((block for block in unused if block.left < short), key=lambda block: block.left)[:-1]

    def _is_over(self, block: Block, now: float) -> bool:
        needs = [need.amount for need in self._needs.values()]
        is_too_small = bool(needs) and block.left < min(needs)
        return is_too_small or now >= block.good_until or now - block.used_at > IDLE_SECONDS

    def _asks(self, need: _Need, now: float) -> bool:
        """Whether there should be more money: the next call has none, or the one after it would have none."""
        if need.is_short:
            return True
        left = sum(block.left for block in self._blocks if now < block.good_until)
        return now - need.at < 1.0 and left < 2 * need.amount

    def _block_for(self, lane: Lane, amount: int) -> Block | None:
        if lane is not Lane.LIVE and self.budget.reserved(self._today()) > self._limit(lane):
            return None
        now = self.clocks.monotonic()
        return next((block for block in self._blocks if now < block.good_until and block.left >= amount), None)

    def _limit(self, lane: Lane) -> int:
        return self.budget.daily if lane is Lane.LIVE else math.floor(self.budget.daily * (1 - LIVE_PART))

    def _today(self) -> int:
        return day_of(self.clocks.wall())
