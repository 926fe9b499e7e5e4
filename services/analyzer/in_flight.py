"""The in-flight window of a lane: how much may be between Kafka and its acknowledgement.

A place is freed when the offset is acknowledged, not when the work is done. That makes it the back-pressure all
the way to Kafka, and the bound on memory: a long queue waits in Kafka.
"""

import math
from typing import Final

_PACED_COUNT: Final = 8_000
_UNPACED_COUNT: Final = 1_000


class InFlightWindow:
    """Counts records and bytes. A record larger than the whole window is let in when it is empty."""

    def __init__(self, *, max_bytes: int, max_count: int) -> None:
        self.max_bytes = max_bytes
        self.max_count = max_count
        self.bytes = 0
        self.count = 0

    def has_room(self, size_bytes: int) -> bool:
        """Whether a record of this size may be taken in now."""
        if self.count == 0:
            return True
        return self.count < self.max_count and self.bytes + size_bytes <= self.max_bytes

    def take(self, size_bytes: int) -> None:
        """Give a record its place."""
        self.bytes += size_bytes
        self.count += 1

    def free(self, size_bytes: int) -> None:
        """The record was acknowledged: its place is free."""
        assert self.count > 0, "a place was freed twice"
        self.bytes -= size_bytes
        self.count -= 1

    def clear(self) -> None:
        """The generation ended: nothing of it will be acknowledged any more."""
        self.bytes = 0
        self.count = 0


def needed_by_paced(calls_per_second: float, call_timeout_seconds: float, largest_batch: int) -> int:
    """Records in flight when every permitted call takes as long as it may: with less, the limit cannot be used."""
    return math.ceil(calls_per_second * call_timeout_seconds * largest_batch)


def needed_by_unpaced(batches_at_once: int, largest_batch: int) -> int:
    """Records in flight while all batches of an engine that answers at once are full."""
    return batches_at_once * largest_batch


def default_for_paced(needed: int) -> int:
    """The window where nobody chose one: thousands are with the engine at once."""
    return max(_PACED_COUNT, needed)


def default_for_unpaced(needed: int) -> int:
    """The window where nobody chose one: records wait for Kafka alone, a quarter of a second at 4,000 a second.

    A larger one would fill whenever Kafka hesitates, and Python does not give its memory back.
    """
    return max(_UNPACED_COUNT, 2 * needed)  # as many again are on their way to Kafka
