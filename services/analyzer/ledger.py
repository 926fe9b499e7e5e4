"""What is between Kafka and its acknowledgement: the places of records in order, and room for more of them.

Every record that a lane takes has a place here until its outcome is durable and everything before it is done too;
only then its offset is acknowledged and its room is free. A record that is analysed under several versions has one
place, and is done when its outcomes under all of them are durable. When the group rebalances all places are forgotten
at once: the records come again, and what was under way for them is published but never acknowledged.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.event import Lane
from services.analyzer.acknowledgements import AcknowledgementOrder, Place
from services.analyzer.in_flight import InFlightWindow

RECORD_OVERHEAD_BYTES = 2048
"""What a record costs in memory beside its own bytes: the decoded event, its place, its work."""


@dataclass(slots=True, eq=False)
class Receipt:
    """How to acknowledge a record, and the room that it takes."""

    lane: Lane
    size_bytes: int
    acknowledge: Callable[[], object]
    accepted_under: tuple[str, ...] = ()
    """The versions under which it gets an outcome."""
    outstanding: frozenset[str] = frozenset()
    """Those of them, where they are several, whose outcome is not durable yet."""
    paid_answers: int = 0
    """Outcomes that came of a call."""
    is_buried: bool = False
    """Its dead letter is durable."""


RecordPlace = Place[Receipt]


class Ledger:
    """Admits records of both lanes and acknowledges them in order."""

    def __init__(self, windows: Mapping[Lane, InFlightWindow]) -> None:
        self._order: AcknowledgementOrder[Receipt] = AcknowledgementOrder()
        self._windows = windows
        self._changed = {lane: asyncio.Event() for lane in windows}
        self._blocked: dict[Lane, str] = {}
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether records are taken."""
        return self._is_open

    def open(self) -> None:
        """Partitions were assigned: records are taken."""
        self._is_open = True

    def close(self) -> int:
        """Take no new records and forget the old ones: a rebalance began, or the process ends.

        Returns how many answers for them were paid for: they were answered behind one that was not, and come again.
        """
        self._is_open = False
        paid = sum(receipt.paid_answers for receipt in self._order.begin_generation())
        for window in self._windows.values():
            window.clear()
        self._blocked.clear()
        self._wake_all()
        return paid

    def take_no_more(self) -> None:
        """Take no new records; those that are in work may still be acknowledged."""
        self._is_open = False
        self._wake_all()

    async def admit(
        self, lane: Lane, partition: int, offset: int, size_bytes: int, acknowledge: Callable[[], object]
    ) -> RecordPlace | None:
        """Wait for room and give the record its place; None when it comes again instead (or is here already)."""
        window = self._windows[lane]
        generation = self._order.generation
        size_bytes += RECORD_OVERHEAD_BYTES
        while self._is_open and generation == self._order.generation and not window.has_room(size_bytes):
            await self._change(lane)
        if not self._is_open or generation != self._order.generation:
            return None
        place = self._order.register((lane, partition), offset, Receipt(lane, size_bytes, acknowledge))
        if place is not None:
            window.take(size_bytes)
        return place

    @staticmethod
    def expect(place: RecordPlace, versions: tuple[str, ...]) -> None:
        """The record gets an outcome under each of these versions."""
        place.receipt.accepted_under = versions
        if len(versions) > 1:
            place.receipt.outstanding = frozenset(versions)

    def done(self, place: RecordPlace, version: str | None = None) -> None:
        """The record's outcome under this version (or all that it gets) is durable.

        Was it the last that is to come, whatever is done at the head of its partition is acknowledged.
        """
        if version is not None and place.receipt.outstanding:
            place.receipt.outstanding -= {version}
            if place.receipt.outstanding:
                return
        for receipt in self._order.done(place):
            receipt.acknowledge()
            self._windows[receipt.lane].free(receipt.size_bytes)
            self._changed[receipt.lane].set()

    def is_current(self, place: RecordPlace) -> bool:
        """Whether the record may still be acknowledged; if not, it comes again (here or elsewhere)."""
        return self._order.is_current(place)

    async def block(self, place: RecordPlace, reason: str) -> bool:
        """Hold the record's lane at this record until somebody acts.

        True when the lane was unblocked, False when the record comes again: a rebalance, or the end.
        """
        lane = place.receipt.lane
        self._blocked[lane] = reason
        while self._is_open and self._order.is_current(place) and lane in self._blocked:
            await self._change(lane)
        return self._is_open and self._order.is_current(place)

    def unblock(self, lane: Lane) -> None:
        """Somebody acted."""
        self._blocked.pop(lane, None)
        self._changed[lane].set()

    @property
    def blocked(self) -> Mapping[Lane, str]:
        """Which lanes hold at a record, and why."""
        return self._blocked

    @property
    def unacknowledged(self) -> int:
        """Records between Kafka and their acknowledgement."""
        return len(self._order)

    def window(self, lane: Lane) -> InFlightWindow:
        """What a lane has in flight."""
        return self._windows[lane]

    async def _change(self, lane: Lane) -> None:
        self._changed[lane].clear()
        await self._changed[lane].wait()

    def _wake_all(self) -> None:
        for changed in self._changed.values():
            changed.set()
