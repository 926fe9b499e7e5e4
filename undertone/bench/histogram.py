"""Latencies in constant memory: buckets that are 1/64 of a power of two wide, so a percentile is off by at most 1.6 %.

The layout is that of HdrHistogram (Gil Tene), with fewer digits.
"""

from collections.abc import Iterable

_BITS = 6
_SUB_BUCKETS = 1 << _BITS
_LARGEST_US = (1 << 36) - 1
"""19 hours: what is longer is counted as that long."""
_BUCKETS = (36 - _BITS) * _SUB_BUCKETS + _SUB_BUCKETS


class Histogram:
    """Counts durations, given in seconds, and tells their percentiles in milliseconds."""

    __slots__ = ("_counts", "_largest_us", "_total_us", "count")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._largest_us = 0
        self._total_us = 0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration; less than nothing counts as nothing."""
        us = min(max(int(seconds * 1e6), 0), _LARGEST_US)
        self._counts[_bucket(us)] += 1
        self._total_us += us
        self.count += 1
        self._largest_us = max(self._largest_us, us)

    def add_all(self, other: "Histogram") -> None:
        """Count everything that another has counted."""
        counts, total, largest = other._counts, other._total_us, other._largest_us  # noqa: SLF001 - of this very class
        self._counts = [count + more for count, more in zip(self._counts, counts, strict=True)]
        self._total_us += total
        self._largest_us = max(self._largest_us, largest)
        self.count += other.count

    def percentile_ms(self, percent: float) -> float:
        """The value that `percent` of 100 of the durations do not exceed; 0 when there are none."""
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_highest_us(bucket), self._largest_us) / 1000
        return 0.0

    @property
    def mean_ms(self) -> float:
        return self._total_us / self.count / 1000 if self.count else 0.0

    @property
    def largest_ms(self) -> float:
        return self._largest_us / 1000

    def filled(self) -> Iterable[tuple[float, int]]:
        """Every bucket that holds something: its upper edge in milliseconds, and its count."""
        return [(_highest_us(bucket) / 1000, count) for bucket, count in enumerate(self._counts) if count]


def _bucket(us: int) -> int:
    shift = max(0, us.bit_length() - _BITS - 1)
    return (shift << _BITS) + (us >> shift)


def _highest_us(bucket: int) -> int:
    """The largest value that falls into a bucket."""
    shift = max(0, (bucket >> _BITS) - 1)
    return (((bucket - (shift << _BITS)) + 1) << shift) - 1
