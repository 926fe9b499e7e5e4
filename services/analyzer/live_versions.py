"""Under which analysis versions live traffic is analysed: what the newest decision of the control log says.

Without one it is the version of this analyzer's own engine. A decision may name versions that no engine here has:
then records wait until it is another one, or until the analyzer was started with that engine.

The log keeps its records for days. So that a decision never expires it is repeated, word for word, when it is a day
old; its serial number tells a repetition that was written too late from a decision. Pure.
"""

import math
from collections.abc import Collection
from typing import Final

from schemas.analysis_control import ActiveVersionChanged
from schemas.event import Lane
from services.analyzer.pacing import Clocks

REPEAT_SECONDS: Final = 86_400.0
"""The log keeps 7 days: a fleet may be away for six of them."""


class LiveVersions:
    """The newest decision, and what of it is possible here."""

    def __init__(self, own: str, known: Collection[str], clocks: Clocks) -> None:
        self.known = frozenset(known)
        self._clocks = clocks
        self._named: tuple[str, ...] = (own,)
        self._retired: frozenset[str] = frozenset()
        self._newest: ActiveVersionChanged | None = None
        self._serial = -1
        self._declared_at = math.inf
        self._repeated_at = -math.inf

    @property
    def active(self) -> str:
        """What is shown by default, and what a copy is analysed under that asks for no version."""
        return self._named[0]

    @property
    def also(self) -> tuple[str, ...]:
        """What live traffic is analysed under as well."""
        return self._named[1:]

    @property
    def all(self) -> tuple[str, ...]:
        """The active version and the others, each once."""
        return self._named

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that no engine here has."""
        return tuple(version for version in self._named if version not in self.known)

    @property
    def retired(self) -> frozenset[str]:
        """Versions under which nothing is to be analysed any more: nobody keeps what is found under them."""
        return self._retired

    def apply(self, decision: ActiveVersionChanged, declared_at: float) -> bool:
        """Take a record of the log into account, written at this time (the broker's); whether anything changed."""
        if decision.serial is not None:
            if decision.serial < self._serial:
                return False
            self._serial = decision.serial
        before, self._newest, self._declared_at = (self._named, self._retired), decision, declared_at
        self._named = tuple(dict.fromkeys((decision.analysis_version, *decision.also_analysed_under)))
        self._retired = frozenset(decision.retired).difference(self._named)
        return (self._named, self._retired) != before

    def to_repeat(self) -> ActiveVersionChanged | None:
        """The decision to write again now, if it is time; asked by one instance of the fleet, which then writes it.

        An instance whose clock is not the broker's repeats once a day at the most.
        """
        now = self._clocks.monotonic()
        is_old = self._clocks.wall() - self._declared_at >= REPEAT_SECONDS
        if not is_old or now - self._repeated_at < REPEAT_SECONDS:
            return None
        self._repeated_at = now
        return self._newest


def describe_missing(missing: Collection[str], known: Collection[str], lane: Lane = Lane.LIVE) -> str:
    """Why records wait, and what ends it; copies on the replay lane can be let go of, too."""
    names = " and ".join(version[:64] for version in missing)
    return (
        f"conversations are to be analysed under {names}, which this analyzer does not have (it has "
        f"{', '.join(sorted(known))}): name its engine in ANALYZER_FURTHER_ENGINES and start it again"
    ) + (_let_go(missing) if lane is Lane.REPLAY else "")


def _let_go(missing: Collection[str]) -> str:
    commands = " and ".join(f"`undertone versions retire {version[:64]} --now`" for version in missing)
    return f"; if the name is a mistake, {commands} lets go of what waits for it on the replay lane"
