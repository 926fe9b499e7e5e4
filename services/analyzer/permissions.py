"""The right to make a call: an open lane, money, a closed circuit and a permit, under the terms of its engine."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import LANES_IN_ORDER, Queue, Work
from services.analyzer.engine import CallEnd, Task
from services.analyzer.holds import Holds
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.llm.breaker import Permit as CircuitPermit
from services.analyzer.metrics import CALLS_IN_FLIGHT
from services.analyzer.pacing import CallPermit
from services.analyzer.probing import Probing
from services.analyzer.terms import Terms, TermsByVersion
from services.analyzer.wallet import Charge


class Spending(Protocol):
    """`spending.Spending`."""

    def take(self, version: str, lane: Lane, tasks: Sequence[Task]) -> Charge | None: ...
    def affordable(self, version: str, lane: Lane, tasks: Sequence[Task]) -> int: ...
    def release(self, charge: Charge, spent_usd: float | None) -> None: ...
    def short_lanes(self) -> Collection[Lane]: ...


@dataclass(frozen=True, slots=True)
class Permission:
    """The right to make one call now. `ended` must be told what it used."""

    breaker: CircuitBreaker
    circuit: CircuitPermit
    """Of that breaker."""
    start: Callable[[], float | None]
    """0 when the call starts now; else seconds until it may be asked again, None when it may not start any more."""
    sent: Callable[[], None]
    """Told when the call's first bytes have gone out: later than its start when a connection had to be opened."""
    ended: Callable[[CallEnd], None]
    estimated_usd: float = 0.0
    """What the call will probably cost."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What a permission is made of, to be handed back at its end."""

    circuit: CircuitPermit
    permit: CallPermit
    charge: Charge
    tokens: int


class Permissions:
    """Gives permissions, and says what stands in the way of them."""

    def __init__(
        self,
        *,
        terms: TermsByVersion,
        holds: Holds,
        spending: Spending,
        probing: Probing,
        is_open: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        self._terms = terms
        self._holds = holds
        self._spending = spending
        self._probing = probing
        self._is_open = is_open
        self._on_end = on_end
        self.calls_in_flight = 0

    def held_lanes(self, version: str) -> Collection[Lane]:
        """The lanes whose calls under a version may not start now."""
        if not self._is_open():
            return LANES_IN_ORDER
        if not self._terms[version].costs:
            return self._holds.active(costs=False)
        if self._probing.is_waited_for():
            return LANES_IN_ORDER
        return {*self._holds.active(), *self._spending.short_lanes()}

    def seconds_until(self, version: str) -> float | None:
        """Until circuit and pace permit a call under a version; None when only an event can tell."""
        terms = self._terms[version]
        permit, circuit = terms.permits.delay(), terms.breaker.seconds_until_call()
        return None if permit is None or circuit is None else max(permit, circuit)

    def take(self, queue: Queue, works: Sequence[Work[Arrival]]) -> Permission | None:
        """Permission for one call for these works of a queue; None when something is missing."""
        lane, version = queue
        terms = self._terms[version]
        charge = self._spending.take(version, lane, [work.task for work in works])
        if charge is None:
            return None
        circuit = terms.breaker.start()
        permit = terms.permits.take() if circuit is not None else None
        if circuit is None or permit is None:
            if circuit is not None:
                terms.breaker.abandoned(circuit)
            self._spending.release(charge, 0.0)
            return None
        tokens = sum(work.tokens for work in works)
        terms.permits.charge(tokens)
        return self._given(lane, terms, _Given(circuit, permit, charge, tokens))

    def affordable(self, queue: Queue, works: Sequence[Work[Arrival]]) -> int:
        """How many of these, the first ones, what is left of the day's budget suffices for; at least one."""
        return self._spending.affordable(queue[1], queue[0], [work.task for work in works])

    def _given(self, lane: Lane, terms: Terms, given: _Given) -> Permission:
        self._count_calls(1)
        is_probe = terms.costs and self._probing.begin()

        def start() -> float | None:
            if not self._is_open() or lane in self._holds.active(costs=terms.costs):
                return None
            return terms.permits.start(given.permit)

        def ended(end: CallEnd) -> None:
            usage = end.usage
            used = given.tokens if usage is None else usage.input_tokens + usage.output_tokens
            terms.permits.settle(given.tokens, used)
            self._spending.release(given.charge, _spent_usd(end))
            self._count_calls(-1)
            if usage is None or not end.is_sent:
                terms.breaker.abandoned(given.circuit)
            if is_probe:
                self._probing.ended(is_answered=end.is_answered)
            self._on_end()

        return Permission(
            terms.breaker,
            given.circuit,
            start,
            lambda: terms.permits.sent(given.permit),
            ended,
            given.charge.estimated_usd,
        )

    def _count_calls(self, change: int) -> None:
        self.calls_in_flight += change
        CALLS_IN_FLIGHT.set(self.calls_in_flight)


def _spent_usd(end: CallEnd) -> float | None:
    """What a call cost; None when nobody knows: it was lost on the way, or the provider does not say."""
    if end.usage is None or not end.is_cost_known:
        return None
    is_stated = end.usage.input_tokens or end.usage.output_tokens or end.usage.cost_usd
    return None if end.is_answered and not is_stated else end.usage.cost_usd
