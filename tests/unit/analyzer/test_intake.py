"""From a record to its arrivals: one for each version, and none before it is known which those are."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from schemas.analysis_control import ActiveVersionChanged
from schemas.event import Lane, Revision
from schemas.topics import RECEIVED, REPLAY
from services.analyzer.accepting import Accepting
from services.analyzer.arrivals import Arrival
from services.analyzer.gaps import Gaps
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.intake import Intake
from services.analyzer.ledger import Ledger
from services.analyzer.live_versions import LiveVersions
from services.analyzer.outbox import Outbox
from tests.builders import a_conversation, a_record, an_envelope
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.versions import FREE, PAID

UNKNOWN = "grok-9-p1"


@dataclass
class Accepted:
    """Keeps what is accepted."""

    arrivals: list[Arrival] = field(default_factory=list)

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        self.arrivals += arrivals

    def versions(self) -> list[str]:
        return [arrival.analysis_version for arrival in self.arrivals]


class NoTasks:
    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        raise AssertionError(f"nothing is published here: {work}")


class World:
    def __init__(self, lane: Lane = Lane.LIVE) -> None:
        windows = {each: InFlightWindow(max_bytes=1_000_000, max_count=100) for each in (Lane.LIVE, Lane.REPLAY)}
        self.lane = lane
        self.ledger = Ledger(windows)
        self.ledger.open()
        self.versions = LiveVersions(FREE, [FREE, PAID], FakeClock().clocks)
        self.accepted = Accepted()
        self.is_log_read = True
        self.acknowledged: list[int] = []
        self.intake = Intake(
            lane,
            ledger=self.ledger,
            gaps=Gaps(),
            read_again=self._read_again,
            accepting=cast("Accepting", self.accepted),
            outbox=cast("Outbox", None),
            versions=self.versions,
            is_log_read=lambda: self.is_log_read,
            tasks=NoTasks(),
        )

    async def _read_again(self, lane: Lane, partition: int, offset: int) -> None:
        raise AssertionError((lane, partition, offset))

    async def take(self, offset: int = 0, version: str | None = None) -> None:
        topic = RECEIVED if self.lane is Lane.LIVE else REPLAY
        envelope = an_envelope()
        if topic is REPLAY:
            envelope = replace(envelope, revision=Revision(1, 1), analysis_version=version)
        record = a_record(a_conversation(f"conv-{offset}"), topic=topic, offset=offset, envelope=envelope)
        await self.intake.take(record, lambda: self.acknowledged.append(offset))

    def decide(self, active: str, *also: str, retired: tuple[str, ...] = ()) -> None:
        event = ActiveVersionChanged(
            analysis_version=active, also_analysed_under=also, retired=retired, changed_by="mia"
        )
        self.versions.apply(event, 0)
        self.ledger.unblock(self.lane)

    async def blocked_for(self, words: str, taking: "asyncio.Task[None]") -> None:
        while self.lane not in self.ledger.blocked:
            assert not taking.done()
            await asyncio.sleep(0)
        assert words in self.ledger.blocked[self.lane]
        assert not self.accepted.arrivals


async def test_a_live_record_arrives_once_under_each_version_and_has_one_place() -> None:
    world = World()
    world.decide(PAID, FREE)
    await world.take(7)
    assert world.accepted.versions() == [PAID, FREE]
    first, second = world.accepted.arrivals
    assert first.place is second.place
    assert world.ledger.unacknowledged == 1
    for arrival in world.accepted.arrivals:
        assert world.acknowledged == []
        world.ledger.done(arrival.place, arrival.analysis_version)
    assert world.acknowledged == [7]


@pytest.mark.parametrize(("asked", "arrives_under"), [(None, PAID), (FREE, FREE), (PAID, PAID)])
async def test_a_copy_arrives_under_what_it_asks_for_or_the_active_version_alone(
    asked: str | None, arrives_under: str
) -> None:
    world = World(Lane.REPLAY)
    world.decide(PAID, FREE)
    await world.take(version=asked)
    assert world.accepted.versions() == [arrives_under]


async def test_nothing_arrives_before_the_control_log_is_read() -> None:
    world = World()
    world.is_log_read = False
    taking = asyncio.create_task(world.take())
    await world.blocked_for("control log", taking)
    world.decide(PAID)
    await world.blocked_for("control log", taking)
    world.is_log_read = True
    world.ledger.unblock(Lane.LIVE)
    await taking
    assert world.accepted.versions() == [PAID]


@pytest.mark.parametrize(("active", "also"), [(UNKNOWN, ()), (FREE, (UNKNOWN,))])
async def test_a_version_that_no_engine_has_holds_live_until_another_decision(
    active: str, also: tuple[str, ...]
) -> None:
    world = World()
    world.decide(active, *also)
    taking = asyncio.create_task(world.take())
    await world.blocked_for(UNKNOWN, taking)
    world.decide(UNKNOWN, PAID)
    await world.blocked_for("ANALYZER_FURTHER_ENGINES", taking)
    world.decide(PAID)
    await taking
    assert world.accepted.versions() == [PAID]


async def test_a_candidate_that_no_engine_has_holds_no_replay_and_an_unknown_active_version_does() -> None:
    world = World(Lane.REPLAY)
    world.decide(FREE, UNKNOWN)
    await world.take(0)
    assert world.accepted.versions() == [FREE]
    world.accepted.arrivals.clear()
    world.decide(UNKNOWN)
    await world.take(1, version=PAID)
    assert world.accepted.versions() == [PAID]
    world.accepted.arrivals.clear()
    taking = asyncio.create_task(world.take(2))
    await world.blocked_for(UNKNOWN, taking)
    world.ledger.close()
    await taking
    assert world.accepted.versions() == [], "a rebalance: the record comes again"


async def test_a_copy_for_a_retired_version_is_acknowledged_and_never_analysed() -> None:
    world = World(Lane.REPLAY)
    world.decide(FREE, retired=(PAID,))
    await world.take(3, PAID)
    assert (world.acknowledged, world.accepted.arrivals) == ([3], [])
    await world.take(4, FREE)
    assert world.accepted.versions() == [FREE]


async def test_a_lane_that_waits_for_a_version_that_no_engine_has_goes_on_when_it_is_retired() -> None:
    world = World(Lane.REPLAY)
    taking = asyncio.create_task(world.take(0, UNKNOWN))
    await world.blocked_for(UNKNOWN, taking)
    world.decide(FREE, retired=(UNKNOWN,))
    await taking
    assert (world.acknowledged, world.accepted.arrivals) == ([0], [])
