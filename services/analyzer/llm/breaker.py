"""The circuit breaker: it stops calls that cannot succeed, and tells an outage from a wrong setting. Pure.

Closed: calls pass. Open: none until the cooldown is over. Half open: one probe is out, and its outcome alone
decides. An outage opens it after `threshold` failures in a row; a wrong key, missing credit or an unknown model
at once, with a longer cooldown: a refused probe costs nothing, and shows that a person has put it right. A limit
(429) is neither: the provider is there, and its hold is kept elsewhere.

Calls are told apart by the permit they started with: one that began before the circuit last changed says nothing
about now, so a slow timeout never prolongs an outage, and a straggler's success never ends one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Circuit(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Cause(StrEnum):
    """Why the circuit is not closed."""

    OUTAGE = "outage"
    MISCONFIGURATION = "misconfiguration"


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call; hand it back with the call's outcome."""

    era: int
    is_probe: bool


class CircuitBreaker:
    """Counts outcomes and says when the next call may start."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        threshold: int = 5,
        cooldown_seconds: float = 10.0,
        misconfigured_cooldown_seconds: float = 60.0,
    ) -> None:
        self._clock = clock
        self._threshold = threshold
        self._cooldowns = {
            Cause.OUTAGE: cooldown_seconds,
            Cause.MISCONFIGURATION: misconfigured_cooldown_seconds,
        }
        self._failures = 0
        self._opened_at = 0.0
        self._probe: Permit | None = None
        self._era = 0
        """Counts the changes of the circuit."""
        self.cause: Cause | None = None
        """None while closed."""
        self.reason: str | None = None
        """One sentence for an operator; None while closed."""

    @property
    def circuit(self) -> Circuit:
        """Open also when the cooldown is over but no probe has started."""
        if self.cause is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._probe is None else Circuit.HALF_OPEN

    def seconds_until_call(self) -> float | None:
        """0 when a call may start; None while the probe is out: only its outcome opens the way."""
        if self.cause is None:
            return 0.0
        if self._probe is not None:
            return None
        return max(0.0, self._opened_at + self._cooldowns[self.cause] - self._clock())

    def start(self) -> Permit | None:
        """The permit for a call that starts now; None when none may."""
        if self.seconds_until_call() != 0.0:
            return None
        permit = Permit(self._era, is_probe=self.cause is not None)
        if permit.is_probe:
            self._probe = permit
        return permit

    def answered(self, permit: Permit) -> None:
        """The provider answered, well or badly, or with a limit: it is there."""
        if not self._counts(permit):
            return
        self._failures = 0
        if permit.is_probe:
            self._change(None, None)

    def failed(self, permit: Permit, reason: str) -> None:
        """The call failed by an outage."""
        if not self._counts(permit):
            return
        self._failures += 1
        if permit.is_probe or self._failures >= self._threshold:
            self._change(Cause.OUTAGE, reason)

    def misconfigured(self, permit: Permit, reason: str) -> None:
        """No call can succeed until a person acts."""
        if self._counts(permit):
            self._change(Cause.MISCONFIGURATION, reason)

    def abandoned(self, permit: Permit) -> None:
        """The call was given up without an outcome (a rebalance, the end of the process)."""
        if permit is self._probe:
            self._probe = None

    def _counts(self, permit: Permit) -> bool:
        return permit is self._probe if permit.is_probe else permit.era == self._era

    def _change(self, cause: Cause | None, reason: str | None) -> None:
        self._era += 1
        self._failures = 0
        self._probe = None
        self._opened_at = self._clock()
        self.cause, self.reason = cause, reason
