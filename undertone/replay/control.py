"""What the control log says about money and holds now, as every analyzer reads it: for how long nothing may start.

Read whole, as analyzers do, by their own classes. What a record stands in the way of, one analyzer alone knows.
"""

import time

from schemas.analysis_control import HoldDeclared, SpendReserved, SpendSettled
from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.event import Lane
from schemas.topics import CONTROL
from services.analyzer.budget import DAY_SECONDS, NANO, Budget, day_of
from services.analyzer.holds import Holds
from services.analyzer.pacing import Clocks
from services.runtime.kafka import KafkaConnection
from undertone.replay.logs import log_beginnings, log_ends, open_span_reader
from undertone.replay.pricing import Waits


class Control:
    """Takes the records of the log in their order."""

    def __init__(self, daily_usd: float | None, clocks: Clocks | None = None) -> None:
        self._clocks = clocks or Clocks(monotonic=time.monotonic, wall=time.time)
        self._holds = Holds(self._clocks)
        self._budget = Budget(daily_usd or 0.0)

    def apply(self, record: RawRecord) -> None:
        """What it says of holds and money; anything else is not for us."""
        try:
            event = decode(record, CONTROL).event
        except UndecodableRecord:
            return
        at = record.timestamp_ms / 1000
        match event:
            case HoldDeclared():
                self._holds.apply(event, at)
            case SpendReserved():
                self._budget.reserve(event.reservation_id, event.amount_usd, at, event.daily_budget_usd)
            case SpendSettled():
                self._budget.settle(event.reservation_id, event.spent_usd)

    def waits(self, *, costs: bool) -> Waits:
        """How things stand now for an engine that costs, or for one that does not."""
        hold = self._holds.active(costs=costs).get(Lane.REPLAY)
        now = self._clocks.wall()
        return Waits(
            held_seconds=0.0 if hold is None else hold.until - self._clocks.monotonic(),
            hold_reason="" if hold is None else hold.reason,
            spent_usd=self._budget.reserved(day_of(now)) / NANO,
            seconds_to_midnight=DAY_SECONDS - now % DAY_SECONDS,
        )


async def read_waits(connection: KafkaConnection, daily_usd: float | None, *, costs: bool) -> Waits:
    """Read the log up to its end of now. Raises CommandError and KafkaError."""
    control = Control(daily_usd)
    beginnings, ends = await log_beginnings(connection, CONTROL), await log_ends(connection, CONTROL)
    ranges = {number: range(beginnings[number], end) for number, end in ends.items()}
    async with open_span_reader(connection, CONTROL, ranges) as reader:
        for number, offsets in ranges.items():
            if not offsets:
                continue
            async for records in reader.read(number):
                for record in records:
                    control.apply(record)
    return control.waits(costs=costs)
