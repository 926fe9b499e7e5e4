"""How many calls a replay takes and how long, by how the analyzers batch and pace: played through, not divided. Pure.

A batch is as large as the adaptive maximum of the moment (services/analyzer/batch_size.py): that starts small and grows
by one with each full batch that comes back, so the calls that go out before the first answer are all small. This, and
not the largest batch, decides how many calls some thousand conversations take.
"""

import heapq
import math
from dataclasses import dataclass

SECONDS_OF_A_CALL = 1.0
SECONDS_OF_A_RESULT = 1.0
"""How long an answer is taken to need: a second, and 130 tokens of each result at 130 tokens a second."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the analyzers may do for a replay, all of them together."""

    instances: int
    calls_per_second: float
    """What live traffic leaves of what is permitted; 0 is no limit."""
    first_batch: int
    largest_batch: int
    most_in_flight: int
    """Conversations between Kafka and their acknowledgement, of each instance."""
    arrivals_per_second: float = 0.0
    """How fast copies come; 0 is at once."""


@dataclass(frozen=True, slots=True)
class Course:
    """Calls, and seconds until the last one has its answer."""

    calls: int
    seconds: float


def course_of(contents: int, fleet: Fleet) -> Course:
    """What so many different contents take. Every instance learns the size of its batches by itself."""
    if not contents:
        return Course(0, 0.0)
    instances = max(1, min(fleet.instances, contents))
    calls, seconds = _of_one(math.ceil(contents / instances), fleet, instances)
    return Course(min(contents, calls * instances), seconds)


def _of_one(contents: int, fleet: Fleet, instances: int) -> tuple[int, float]:
    size, left, calls, now, ends_at = fleet.first_batch, contents, 0, 0.0, 0.0
    under_way: list[tuple[float, int, bool]] = []
    in_flight = 0
    while left:
        while under_way and (under_way[0][0] <= now or in_flight + size > fleet.most_in_flight):
            ended_at, count, is_full = heapq.heappop(under_way)
            now, in_flight = max(now, ended_at), in_flight - count
            size = min(fleet.largest_batch, size + is_full)
        if size == fleet.largest_batch:
            more = math.ceil(left / size)
            seconds = more * _interval(size, fleet, instances)
            seconds = max(seconds, max(0, left - fleet.most_in_flight) / fleet.most_in_flight * seconds_of_a_call(size))
            return calls + more, max(ends_at, now + seconds + seconds_of_a_call(min(size, left)))
        count = min(size, left)
        left, calls, in_flight = left - count, calls + 1, in_flight + count
        ends_at = max(ends_at, now + seconds_of_a_call(count))
        heapq.heappush(under_way, (now + seconds_of_a_call(count), count, count == size))
        now += _interval(count, fleet, instances)
    return calls, ends_at


def seconds_of_a_call(conversations: int) -> float:
    """How long the answer for so many is taken to need."""
    return SECONDS_OF_A_CALL + SECONDS_OF_A_RESULT * conversations


def _interval(count: int, fleet: Fleet, instances: int) -> float:
    """Seconds between two calls of one instance: the permits are shared, and so is what arrives."""
    by_permits = instances / fleet.calls_per_second if fleet.calls_per_second else 0.0
    by_arrivals = count * instances / fleet.arrivals_per_second if fleet.arrivals_per_second else 0.0
    return max(by_permits, by_arrivals)
