"""The order in which offsets may be acknowledged: only the contiguous head of each partition, within a generation.

Work ends in any order, but a committed offset says that everything before it is done. So a record's receipt is
given back only when all records before it in its partition are done too (faust-streaming#606 is what happens
otherwise). A generation ends when the group rebalances: its receipts are never given back, the records come again.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Place(Generic[R]):
    """A record's place in the order of its partition."""

    generation: int
    partition: Hashable
    offset: int
    receipt: R
    is_done: bool = False


class AcknowledgementOrder(Generic[R]):
    """Receipts of records in work, given back in the order of their partition once all before them are done."""

    def __init__(self) -> None:
        self.generation = 0
        self._partitions: dict[Hashable, deque[Place[R]]] = {}
        self._newest: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """How many receipts wait."""
        return sum(len(places) for places in self._partitions.values())

    def register(self, partition: Hashable, offset: int, receipt: R) -> Place[R] | None:
        """Give the record the last place of its partition.

        None when this generation had that offset already: a consumer that seeks may deliver a record twice, and
        the first delivery has the place.
        """
        if offset <= self._newest.get(partition, -1):
            return None
        self._newest[partition] = offset
        place = Place(self.generation, partition, offset, receipt)
        self._partitions.setdefault(partition, deque()).append(place)
        return place

    def is_current(self, place: Place[R]) -> bool:
        """Whether the place belongs to this generation, so that its record may still be acknowledged."""
        return place.generation == self.generation

    def done(self, place: Place[R]) -> list[R]:
        """The receipts that may be acknowledged now, in order; none for a place of an older generation."""
        if not self.is_current(place) or place.is_done:
            return []
        place.is_done = True
        places = self._partitions[place.partition]
        head: list[R] = []
        while places and places[0].is_done:
            head.append(places.popleft().receipt)
        return head

    def begin_generation(self) -> list[R]:
        """Forget every place and return the receipts that were never given back."""
        forgotten = [place.receipt for places in self._partitions.values() for place in places]
        self.generation += 1
        self._partitions.clear()
        self._newest.clear()
        return forgotten
