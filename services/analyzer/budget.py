"""Money for calls that cost: granted by the order of the control log, so that no day costs more than its budget.

An instance asks for a block by a record of the log and may spend it only if the sum of the day, at that position of
the log, is within the budget that the record states. So every instance that reads the log comes to the same verdicts,
whoever asks first and whatever its own budget is: a budget that is changed during the day forgets nothing.
A settled block gives back what was not spent; the block of a killed instance stays spent. The day is that of the
broker's timestamps, in UTC. Pure; sums are whole nanodollars, because floats taken back do not add up.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

DAY_SECONDS: Final = 86_400.0
NANO: Final = 1_000_000_000
"""In a dollar; the sink counts in the same."""
_ROUNDING: Final = 0.01
_MOST_USD: Final = 1e12
"""More money than there is: a record that states more is read as this much, since infinity cannot be rounded."""
_REMEMBERED_DAYS: Final = 9
"""Longer than the log keeps its records."""


@dataclass(slots=True)
class _Reservation:
    day: int
    amount: int
    is_granted: bool
    is_settled: bool = False


class Budget:
    """What the log says of every day, in nanodollars."""

    def __init__(self, daily_usd: float) -> None:
        self.daily = _whole(daily_usd)
        self._reserved: defaultdict[int, int] = defaultdict(int)
        self._reservations: dict[UUID, _Reservation] = {}

    def reserve(self, reservation_id: UUID, amount_usd: float, at: float, daily_usd: float | None = None) -> bool:
        """Take a reservation of the log into account; whether it is granted. Its copies change nothing.

        `daily_usd` is the budget that it states; one that states none is judged by ours.
        """
        known = self._reservations.get(reservation_id)
        if known is not None:
            return known.is_granted
        day, amount = day_of(at), nano(amount_usd)
        is_granted = self._reserved[day] + amount <= (self.daily if daily_usd is None else _whole(daily_usd))
        self._reservations[reservation_id] = _Reservation(day, amount, is_granted)
        if is_granted:
            self._reserved[day] += amount
        self._forget_before(day - _REMEMBERED_DAYS)
        return is_granted

    def settle(self, reservation_id: UUID, spent_usd: float) -> None:
        """Take a settlement of the log into account."""
        known = self._reservations.get(reservation_id)
        if known is None or known.is_settled or not known.is_granted:
            return
        known.is_settled = True
        self._reserved[known.day] += nano(spent_usd) - known.amount

    def reserved(self, day: int) -> int:
        """What is spent or reserved of a day's budget."""
        return self._reserved.get(day, 0)

    def _forget_before(self, day: int) -> None:
        if any(old < day for old in self._reserved):
            self._reserved = defaultdict(int, {old: sum_ for old, sum_ in self._reserved.items() if old >= day})
            self._reservations = {id_: one for id_, one in self._reservations.items() if one.day >= day}


def _whole(daily_usd: float) -> int:
    """Of a budget, in nanodollars."""
    return math.floor(min(daily_usd, _MOST_USD) * NANO)


def day_of(at: float) -> int:
    """The UTC day of a time in seconds since 1970."""
    return math.floor(at / DAY_SECONDS)


def nano(usd: float) -> int:
    """Nanodollars, rounded up: towards stopping early. What came from nanodollars gives the same again."""
    return math.ceil(min(usd, _MOST_USD) * NANO - _ROUNDING)
