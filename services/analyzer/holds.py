"""Holds that the fleet agreed on, read from the control log: until when no call of a lane may start, and why.

A hold counts from the broker's timestamp of its record, so that every instance ends it at the same moment. Of two
holds the later end counts; a hold of zero seconds ends what is held. Ends are kept by the monotonic clock, so that
a jump of the wall clock neither ends a hold nor makes it endless.

A hold that a provider asked for is for engines that cost: an engine that runs in this process goes on. What a person
declares is for all.

After a hold of all lanes one instance asks whether calls are welcome again: the others wait until it says so, until
the next hold, or for a while, in case it cannot say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.analysis_control import HoldDeclared
from schemas.event import Lane
from services.analyzer.pacing import Clocks

LONG_HOLD_SECONDS = 2 * 3600.0
"""A provider that asks for longer is asked again after this time, and readiness says so until then."""
LONGEST_PROBE_SECONDS = 120.0
"""Two call timeouts: then the others go on by themselves."""
PROBE_ANSWERED = "the provider answers again"
"""The reason of a hold of zero seconds that ends the wait for a probe, and nothing that a person has to look at."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lane's hold: its end by the monotonic clock, and the reason that was declared."""

    until: float
    reason: str
    is_long: bool = False


class Holds:
    """The holds of both lanes."""

    def __init__(self, clocks: Clocks, on_end: Callable[[Lane], None] = lambda _: None) -> None:
        self._clocks = clocks
        self._on_end = on_end
        self._holds: dict[tuple[Lane, bool], Hold] = {}
        """By lane, and whether engines that cost alone are held."""
        self._probe_until: float | None = None
        """While a hold of all lanes is not known to be over for good: when that is assumed."""

    def apply(self, declared: HoldDeclared, declared_at: float) -> None:
        """Take a record of the control log into account; `declared_at` is its broker timestamp, in seconds."""
        if declared.lane is None and declared.hold_seconds == 0:
            self._probe_until = None
        if declared.reason == PROBE_ANSWERED:
            return
        for lane in (Lane.LIVE, Lane.REPLAY) if declared.lane is None else (declared.lane,):
            if declared.hold_seconds == 0:
                self._holds.pop((lane, True), None)
                self._holds.pop((lane, False), None)
                self._on_end(lane)
            else:
                self._hold(lane, declared, declared_at)

    def _hold(self, lane: Lane, declared: HoldDeclared, declared_at: float) -> None:
        seconds = min(declared.hold_seconds, LONG_HOLD_SECONDS)
        remaining = min(declared_at + seconds - self._clocks.wall(), seconds)
        until = self._clocks.monotonic() + remaining
        name = (lane, declared.paid_only)
        held = self._holds.get(name)
        if remaining > 0 and (held is None or until > held.until):
            self._holds[name] = Hold(until, declared.reason, declared.hold_seconds > LONG_HOLD_SECONDS)
            if declared.lane is None:
                self._probe_until = until + LONGEST_PROBE_SECONDS

    def active(self, *, costs: bool = True) -> dict[Lane, Hold]:
        """The lanes that are held now for engines that cost, or for those that do not."""
        now = self._clocks.monotonic()
        for name in [name for name, hold in self._holds.items() if hold.until <= now]:
            del self._holds[name]
        found: dict[Lane, Hold] = {}
        for (lane, is_paid_only), hold in self._holds.items():
            if (costs or not is_paid_only) and (lane not in found or hold.until > found[lane].until):
                found[lane] = hold
        return found

    def ends_at(self, hold: Hold) -> datetime:
        """When a hold ends, by the wall clock of now, to the second."""
        return datetime.fromtimestamp(round(self._clocks.wall() + hold.until - self._clocks.monotonic()), UTC)

    def awaits_probe(self) -> bool:
        """Whether a hold of all lanes ended and nobody has said yet that calls are welcome again."""
        return self._probe_until is not None and not self.active() and self._clocks.monotonic() < self._probe_until
