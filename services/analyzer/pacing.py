"""Pacing calls under a limit that the whole fleet shares, without asking anybody.

Time is cut into slots of 1 / (0.95 * limit) seconds, counted from 1970, and each slot belongs to one partition of
the received topic: whoever owns the partition may start one call in the slot. So every instance has its partitions'
share, the shares add up to the limit however they are dealt, and the calls of the fleet come evenly spaced instead
of falling together by chance. The slots of a partition are spread over the cycle, so that neighbours do not burst.

A slot may be used a little late (a quarter of what pacing below the limit leaves free in a second), else it is lost;
so no sliding second holds more calls than the limit, and the rest is left for the network. An instance that owns all
partitions is in nobody's way and may use slots of the last two seconds. Should clocks differ or jump, the average
stays, and one instance alone still never exceeds the limit: its own calls keep their distance by the monotonic clock.
What counts is when a call's bytes went out, which may be later than it was started: a connection had to be opened, or
the event loop was busy. Measured: one call each 100 ms put up to 12 arrivals into a sliding second, 5 % slower none.
The limit itself may fall and rise again (`adaptive_limit`). The slots stay where they are then, and some are left out
by a rule that is the same everywhere: were their length changed, those of instances that differ by a thousandth would
fall together by chance, and meet a limit that the fleet is well below.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.analyzer.adaptive_limit import LEAST_PART, AdaptiveLimit

_LATEST_USE_ALONE_SECONDS = 2.0
_FOR_THE_NETWORK = 0.75
"""Of what is free in a second: by so much a call may overtake those before it on its way, and the limit still holds."""
_LEVELS = 61
"""So many parts of the slots may be used: few, so that instances are at the same one most of the time; a prime, so that
what is left out goes round all partitions."""
HEARTBEAT_SECONDS = 10.0
"""Without a heartbeat for so long the group may have given our partitions away: no call starts."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both times in seconds: `monotonic` never jumps, `wall` (since 1970) is what instances have in common."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(slots=True, eq=False)
class CallPermit:
    """The right to start one call in a slot."""

    usable_at: float
    """When the slot begins, by the wall clock."""
    counts_at: float
    """When the call was sent; until then, when it started or the permit was taken. By the monotonic clock."""


class Pacer:
    """Permits for calls. `delay` says how long to wait, `take` gives the permit, `start` uses it, `sent` corrects it.

    A busy event loop may come to the call late, so a permit is no more than a place in the queue: what counts, and
    what is checked once more, is the start.

    `calls_per_second` and `tokens_per_minute` are the limits of the fleet; 0 means none.
    """

    def __init__(
        self, *, calls_per_second: float, tokens_per_minute: float = 0, pace: float = 0.95, clocks: Clocks
    ) -> None:
        self._clocks = clocks
        self._pace = pace
        self._free = 1 / pace - 1
        """What pacing below the limit leaves free, in seconds of each second."""
        self._configured_tokens = self._tokens_per_minute = tokens_per_minute
        self._owned: frozenset[int] = frozenset()
        self._partitions = self._stride = 1
        self._assigned_at = -math.inf
        self._heartbeat_at = -math.inf
        self._next_by_tokens = -math.inf
        self._limit = AdaptiveLimit(calls_per_second, clocks.monotonic)
        self._recent: list[CallPermit] = []
        self._interval = 0.0
        """The length of a slot, in seconds; 0 without a limit on calls."""
        self._last_slot = -1
        self._follow_limit()

    @property
    def share(self) -> float:
        """This instance's part of the limits, 0 to 1."""
        return len(self._owned) / self._partitions

    def set_share(self, owned: Iterable[int], partitions: int) -> None:
        """These partitions of so many are ours. Called on assignment only."""
        self._assigned_at = self._clocks.monotonic()
        self._owned = frozenset(owned)
        self._partitions = partitions
        self._stride = _stride(partitions)

    def stop(self) -> None:
        """A rebalance began: nothing is ours until the next assignment. Safe to call from another thread."""
        self._owned = frozenset()

    def note_heartbeat(self, at: float) -> None:
        """The group's coordinator confirmed our membership at this monotonic time."""
        self._heartbeat_at = at

    def slow_down(self) -> None:
        """A provider said that it is too much: a fifth less, once a while. It rises again with time."""
        self._limit.slow_down()

    def limit_stated(self, calls_per_second: float | None, tokens_per_minute: float | None) -> None:
        """The provider states its limits; None where it does not. They only lower ours, to a tenth at the least."""
        self._limit.state(calls_per_second)
        tokens = [limit for limit in (self._configured_tokens, tokens_per_minute) if limit]
        self._tokens_per_minute = max(min(tokens, default=0.0), self._configured_tokens * LEAST_PART)

    def _follow_limit(self) -> None:
        """It moves with time, so this comes before each look at the slots."""
        limit, agreed = self._limit.calls_per_second, self._limit.agreed
        interval = 1 / (self._pace * agreed) if agreed else 0.0
        if interval != self._interval:
            self._interval, self._last_slot = interval, -1
        self._calls_in_a_second = max(1, math.floor(limit))
        self._level = max(1, math.floor(_LEVELS * (limit / agreed))) if agreed else _LEVELS

    @property
    def calls_per_second(self) -> float:
        """The limit of the fleet as it is now; 0 is none."""
        return self._limit.calls_per_second

    @property
    def tokens_per_minute(self) -> float:
        """The same for tokens."""
        return self._tokens_per_minute

    def delay(self) -> float | None:
        """Seconds until a call may start, 0 for now; None when nothing is ours or the heartbeat is too old."""
        now = self._clocks.monotonic()
        if not self._is_open(now):
            return None
        self._follow_limit()
        waits = [self._next_by_tokens - now, 0.0]
        if self._interval:
            waits += [self._until_slot(self._clocks.wall()), self._until_distance(now)]
        return max(waits)

    def take(self) -> CallPermit | None:
        """A permit to start a call at once; None when none may start yet."""
        if self.delay() != 0:
            return None
        now = self._clocks.monotonic()
        permit = CallPermit(self._clocks.wall(), now)
        if self._interval:
            self._give_slot(permit)
            self._count(permit, now)
        return permit

    def start(self, permit: CallPermit) -> float | None:
        """0 when the permit's call starts now; else seconds until it may be asked again, None for never.

        Ask with nothing between the answer and the call. A permit that comes too late for its slot gets the next one.
        """
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        if not self._is_open(now):
            return None
        self._follow_limit()
        if not self._interval:
            return 0.0
        farthest = self._interval * self._farthest
        if not wall - self._latest_use <= permit.usable_at <= wall + farthest:
            self._give_slot(permit)
        wait = max(permit.usable_at - wall, self._until_distance(now, but=permit))
        if wait > 0:
            return wait
        self._count(permit, now)
        return 0.0

    def sent(self, permit: CallPermit) -> None:
        """The call's first bytes have just gone out."""
        permit.counts_at = self._clocks.monotonic()
        if self._interval and not self._is_alone:
            self._make_room_after(permit)

    def _make_room_after(self, late: CallPermit) -> None:
        """What leaves much too late comes near to the calls of others, who do not know: then our next slot is not used.

        Unless it comes more than a second later, in nobody's way.
        """
        wall = self._clocks.wall()
        if wall - late.usable_at > 2 * self._slack and self._until_slot(wall) < 1:
            self._last_slot = self._next_slot(wall)

    def _is_open(self, now: float) -> bool:
        return bool(self._owned) and now - self._heartbeat_at <= HEARTBEAT_SECONDS

    def _give_slot(self, permit: CallPermit) -> None:
        self._last_slot = self._next_slot(self._clocks.wall())
        permit.usable_at = self._last_slot * self._interval

    def _count(self, permit: CallPermit, now: float) -> None:
        permit.counts_at = now
        horizon = now - max(2.0, 2 * self._interval)
        self._recent = [one for one in self._recent if one is not permit and one.counts_at > horizon]
        self._recent.append(permit)

    def charge(self, tokens: int) -> None:
        """The call that was started will use about so many tokens."""
        self._spend(max(self._clocks.monotonic(), self._next_by_tokens), tokens)

    def settle(self, estimated_tokens: int, used_tokens: int) -> None:
        """The call ended: correct what `charge` assumed by what it used."""
        self._spend(self._next_by_tokens, used_tokens - estimated_tokens)

    def _spend(self, since: float, tokens: int) -> None:
        rate = self._pace * self._tokens_per_minute / 60 * self.share
        if rate:
            self._next_by_tokens = since + tokens / rate

    @property
    def _slack(self) -> float:
        """The part of what is free by which a call may come late."""
        return (1 - _FOR_THE_NETWORK) * self._free

    @property
    def _is_alone(self) -> bool:
        return len(self._owned) == self._partitions

    @property
    def _farthest(self) -> int:
        """How many slots ahead the next of ours may be, unless the wall clock went back."""
        return self._partitions if self._level == _LEVELS else self._partitions * _LEVELS

    @property
    def _latest_use(self) -> float:
        """How long after its beginning a slot may be used, in seconds. What began before it was ours is another's."""
        latest = _LATEST_USE_ALONE_SECONDS if self._is_alone else self._slack
        return min(latest, self._clocks.monotonic() - self._assigned_at)

    def _next_slot(self, wall: float) -> int:
        """The first slot of ours that may be used now or later and was not used."""
        owned = self._owned  # another thread may take it away
        earliest = math.ceil((wall - self._latest_use) / self._interval)
        if self._last_slot > earliest + self._calls_in_a_second + self._farthest:
            self._last_slot = -1  # the wall clock went back; our own distance still holds
        slot = max(earliest, self._last_slot + 1)
        while owned and (self._owner(slot) not in owned or self._is_left_out(slot)):
            slot += 1
        return slot

    def _is_left_out(self, slot: int) -> bool:
        """Whether a limit that was met leaves it out: evenly, and the same ones at every instance."""
        return slot * self._level % _LEVELS >= self._level

    def _owner(self, slot: int) -> int:
        """The partition whose slot this is: a stride without a common divisor deals the cycle evenly."""
        return slot * self._stride % self._partitions

    def _until_slot(self, wall: float) -> float:
        return self._next_slot(wall) * self._interval - wall

    def _until_distance(self, now: float, *, but: CallPermit | None = None) -> float:
        """Until our own last calls (but this one) are far enough away, by a clock that does not jump."""
        times = sorted(one.counts_at for one in self._recent if one is not but)
        if not times:
            return 0.0
        is_full = len(times) >= self._calls_in_a_second
        second = times[-self._calls_in_a_second] + 1.0 + _FOR_THE_NETWORK * self._free - now if is_full else 0.0
        return max(second, times[-1] + self._interval - self._slack - now)


_STRIDES = (7, 11, 13, 17, 19, 23, 1)


def _stride(partitions: int) -> int:
    return next(stride for stride in _STRIDES if math.gcd(stride, partitions) == 1)
