"""Whether the consumer skipped records: offsets of a partition must follow each other, or be missing in the log.

Faust decides what to drop by a read position of its own, which a rebalance at the wrong moment can leave too far
ahead: then records are fetched and silently dropped, and the next offset that arrives leaves a gap. A gap may also be
in the log itself (transactions leave markers, retention removes the head). So at a gap the partition is read again
from where it should have gone on: what was skipped comes then, or the same offset comes again and the gap is real.
"""

from collections.abc import Hashable, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Verdict(Enum):
    """What to do with a record."""

    NEXT = auto()
    """Take it."""
    SEEK = auto()
    """Read the partition again from `expected`; the record comes again."""
    AGAIN = auto()
    """Leave it: it comes again after the seek."""


class Gaps(Generic[P]):
    """Watches the offsets of every partition within one generation."""

    def __init__(self) -> None:
        self._expected: dict[P, int] = {}
        self._doubted: dict[P, int] = {}
        """Offsets behind a gap that is being read again."""

    def begin_generation(self, starts: Mapping[P, int]) -> None:
        """Partitions were assigned; reading starts at these offsets (partitions without one: anywhere)."""
        self._expected = dict(starts)
        self._doubted.clear()

    def expected(self, partition: P) -> int:
        """Where the partition should go on."""
        return self._expected[partition]

    def positions(self) -> Mapping[P, int]:
        """Where each partition that is being read should go on."""
        return self._expected

    def judge(self, partition: P, offset: int) -> Verdict:
        """Look at the next record that arrived."""
        expected = self._expected.get(partition, offset)
        doubted = self._doubted.get(partition)
        if doubted is not None and offset > doubted:
            return Verdict.AGAIN
        if doubted is None and offset > expected:
            self._doubted[partition] = offset
            return Verdict.SEEK
        self._doubted.pop(partition, None)
        self._expected[partition] = max(expected, offset + 1)
        return Verdict.NEXT
