"""Engines of two versions and what holds for their calls, for tests: one costs, the other does not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from schemas.event import Lane
from services.analyzer.engine import Answer, Task
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.pacing import Pacer
from services.analyzer.terms import Terms
from services.analyzer.unpaced import Unpaced
from services.analyzer.wallet import Charge
from tests.unit.analyzer.fakes import FakeClock

FREE, PAID = "offline-2", "grok-4.3-p1"


@dataclass
class NoEngine:
    """Is never called."""

    analysis_version: str
    is_paced: bool
    name: str = "fake"

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        raise NotImplementedError


@dataclass
class FakeSpending:
    """Money for every lane that is not short."""

    short: set[Lane] = field(default_factory=set)
    given: list[tuple[str, Lane]] = field(default_factory=list)
    released: list[float | None] = field(default_factory=list)
    most: int = 1_000
    """So many conversations a call can be paid for."""

    def take(self, version: str, lane: Lane, tasks: Sequence[Task]) -> Charge | None:
        self.given.append((version, lane))
        is_short = lane in self.short or len(tasks) > self.most
        return None if is_short else Charge(estimated_usd=0.25 * len(tasks))

    def affordable(self, version: str, lane: Lane, tasks: Sequence[Task]) -> int:
        return max(1, min(self.most, len(tasks)))

    def release(self, charge: Charge, spent_usd: float | None) -> None:
        self.released.append(spent_usd)

    def short_lanes(self) -> Collection[Lane]:
        return self.short


def terms_on(clock: FakeClock, calls_per_second: float = 10) -> dict[str, Terms]:
    """A free and a paid engine; all partitions are ours."""
    pacer, unpaced = Pacer(calls_per_second=calls_per_second, clocks=clock.clocks), Unpaced(4)
    for permits in (pacer, unpaced):
        permits.set_share({0}, 1)
        permits.note_heartbeat(clock.now)
    return {
        FREE: Terms(NoEngine(FREE, is_paced=False), unpaced, CircuitBreaker(clock=clock.monotonic), lambda _: 0),
        PAID: Terms(
            NoEngine(PAID, is_paced=True), pacer, CircuitBreaker(clock=clock.monotonic, threshold=1), lambda _: 7
        ),
    }
