"""Holds that the fleet agreed on, read from the control log: until when no call of a lane may start, and why.

A hold counts from the broker's timestamp of its record, so that every instance ends it at the same moment. Of two
holds the later end counts; a hold of zero seconds ends what is held. Ends are kept by the monotonic clock, so that
a jump of the wall clock neither ends a hold nor makes it endless.

After a hold of all lanes one instance asks whether calls are welcome again: the others wait until it says so, until
the next hold, or for a while, in case it cannot say.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
        self._holds: dict[Lane, Hold] = {}
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
                self._holds.pop(lane, None)
                self._on_end(lane)
            else:
                self._hold(lane, declared, declared_at)

    def _hold(self, lane: Lane, declared: HoldDeclared, declared_at: float) -> None:
        seconds = min(declared.hold_seconds, LONG_HOLD_SECONDS)
        remaining = min(declared_at + seconds - self._clocks.wall(), seconds)
        until = self._clocks.monotonic() + remaining
        held = self._holds.get(lane)
        if remaining > 0 and (held is None or until > held.until):
            self._holds[lane] = Hold(until, declared.reason, declared.hold_seconds > LONG_HOLD_SECONDS)
            if declared.lane is None:
                self._probe_until = until + LONGEST_PROBE_SECONDS

    def active(self) -> dict[Lane, Hold]:
        """The lanes that are held now."""
        now = self._clocks.monotonic()
        for lane in [lane for lane, hold in self._holds.items() if hold.until <= now]:
            del self._holds[lane]
        return self._holds

    def awaits_probe(self) -> bool:
        """Whether a hold of all lanes ended and nobody has said yet that calls are welcome again."""
        return self._probe_until is not None and not self.active() and self._clocks.monotonic() < self._probe_until
