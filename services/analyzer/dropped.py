"""Whether records were dropped that nothing follows: they were read from Kafka, and never came in.

`gaps` sees that records are missing when a later one arrives. After a rebalance the last records of a partition can
be dropped as well (handed over before the partitions were ours), and then nothing arrives that would tell. So how far
each partition was read is compared with what was taken: where it is ahead twice in a row while the lane has nothing to
do, the partition is read again. A log may end in offsets that hold no record, so for one place that is tried a few
times only, until reading goes on. What is not read yet, be Kafka ever so slow, is not dropped.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)

MOST_READINGS = 3


@dataclass(frozen=True, slots=True)
class Sight(Generic[P]):
    """A partition at one look."""

    partition: P
    expected: int
    """The next offset that we want."""
    position: int
    """The next offset that will be read from Kafka."""
    is_idle: bool
    """Whether the lane has nothing to do."""


class DropWatch(Generic[P]):
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._suspected: dict[P, int] = {}
        self._readings: dict[P, tuple[tuple[int, int], int]] = {}
        """The place that was read again last with the position of then, and how often."""

    def look(self, sights: Iterable[Sight[P]]) -> list[tuple[P, int]]:
        """The partitions to read again, each from its offset."""
        suspected = [sight for sight in sights if sight.is_idle and sight.position > sight.expected]
        confirmed = [
            (sight.partition, sight.expected)
            for sight in suspected
            if self._suspected.get(sight.partition) == sight.expected and self._may_read(sight)
        ]
        self._suspected = {sight.partition: sight.expected for sight in suspected}
        return confirmed

    def _may_read(self, sight: Sight[P]) -> bool:
        place = (sight.expected, sight.position)
        tried, times = self._readings.get(sight.partition, (place, 0))
        times = times + 1 if tried == place else 1
        self._readings[sight.partition] = (place, times)
        return times <= MOST_READINGS
