"""What stands in the way of a call: under each version its own, and nothing of what concerns engines that cost only."""

from typing import cast

import pytest

from schemas.analysis_control import HoldDeclared
from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import Work
from services.analyzer.engine import CallEnd, Usage
from services.analyzer.holds import LONGEST_PROBE_SECONDS, Holds
from services.analyzer.permissions import Permissions
from services.analyzer.probing import Probing
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.versions import FREE, PAID, FakeSpending, terms_on
from tests.unit.analyzer.windows import a_task

BOTH = {Lane.LIVE, Lane.REPLAY}
LIVE_PAID, LIVE_FREE = (Lane.LIVE, PAID), (Lane.LIVE, FREE)


class World:
    """Permissions, and what they depend on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.holds = Holds(self.clock.clocks)
        self.spending = FakeSpending()
        self.terms = terms_on(self.clock)
        self.is_open = self.is_prober = True
        self.probes_answered = self.ends = 0
        self.permissions = Permissions(
            terms=self.terms,
            holds=self.holds,
            spending=self.spending,
            probing=Probing(self.holds, lambda: self.is_prober, self._answered),
            is_open=lambda: self.is_open,
            on_end=self._ended,
        )

    def _answered(self) -> None:
        self.probes_answered += 1

    def _ended(self) -> None:
        self.ends += 1

    def hold(self, seconds: float, *, paid_only: bool) -> None:
        event = HoldDeclared(hold_seconds=seconds, paid_only=paid_only, reason="429", declared_by="a test")
        self.holds.apply(event, self.clock.wall())

    def held(self, version: str) -> set[Lane]:
        return set(self.permissions.held_lanes(version))


def _works(version: str, count: int = 2) -> list[Work[Arrival]]:
    nobody: list[Arrival] = []
    return [Work(version, Lane.LIVE, a_task(str(place)), 10, 0.0, nobody) for place in range(count)]


def test_a_hold_of_a_provider_and_missing_money_stop_engines_that_cost_only() -> None:
    world = World()
    assert (world.held(PAID), world.held(FREE)) == (set(), set())
    world.spending.short = {Lane.REPLAY}
    assert (world.held(PAID), world.held(FREE)) == ({Lane.REPLAY}, set())
    world.hold(60, paid_only=True)
    assert (world.held(PAID), world.held(FREE)) == (BOTH, set())
    world.hold(60, paid_only=False)
    assert (world.held(PAID), world.held(FREE)) == (BOTH, BOTH)


def test_nothing_starts_before_the_log_is_read_or_in_a_rebalance() -> None:
    world = World()
    world.is_open = False
    assert (world.held(PAID), world.held(FREE)) == (BOTH, BOTH)


@pytest.mark.parametrize("is_prober", [True, False])
def test_after_a_hold_one_instance_asks_first_and_only_for_engines_that_cost(is_prober: bool) -> None:
    world = World()
    world.is_prober = is_prober
    world.hold(5, paid_only=True)
    world.clock.advance(6)
    world.terms[PAID].permits.note_heartbeat(world.clock.now)
    assert world.held(FREE) == set()
    assert world.held(PAID) == (set() if is_prober else BOTH)
    free = world.permissions.take(LIVE_FREE, _works(FREE))
    assert free is not None
    free.ended(CallEnd(Usage(), is_answered=True))
    assert world.probes_answered == 0, "an engine that nobody limits tells nothing about a provider"
    if not is_prober:
        world.clock.advance(LONGEST_PROBE_SECONDS)
        assert world.held(PAID) == set()
        return
    probe = world.permissions.take(LIVE_PAID, _works(PAID))
    assert probe is not None
    assert world.held(PAID) == BOTH, "one call, until it is answered"
    probe.ended(CallEnd(Usage(10, 0, 5), is_answered=True))
    assert world.probes_answered == 1


def test_each_version_waits_for_its_own_pace_and_its_own_circuit() -> None:
    world = World()
    assert world.permissions.seconds_until(PAID) == 0
    first = world.permissions.take(LIVE_PAID, _works(PAID))
    assert first is not None
    assert cast("float", world.permissions.seconds_until(PAID)) > 0
    assert world.permissions.seconds_until(FREE) == 0
    first.breaker.failed(first.circuit, "503")
    first.ended(CallEnd(Usage()))
    world.clock.advance(1)
    assert cast("float", world.permissions.seconds_until(PAID)) > 5, "the circuit is open"
    assert world.permissions.take(LIVE_PAID, _works(PAID)) is None
    assert world.spending.released[-1] == 0.0, "what was set aside for it is given back"
    assert world.permissions.take(LIVE_FREE, _works(FREE)) is not None


def test_a_permission_says_what_the_call_will_cost_and_is_counted_until_its_end() -> None:
    world = World()
    permission = world.permissions.take(LIVE_PAID, _works(PAID, 3))
    assert permission is not None
    assert permission.estimated_usd == 0.75
    assert world.permissions.calls_in_flight == 1
    assert permission.start() == 0
    world.hold(60, paid_only=True)
    assert permission.start() is None, "a hold came between the permit and the call"
    permission.ended(CallEnd(Usage(), is_sent=False))
    assert (world.permissions.calls_in_flight, world.ends) == (0, 1)
