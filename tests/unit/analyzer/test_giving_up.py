"""What is let go of when a version is live no more and no call can be made under it."""

from schemas.analysis_control import ActiveVersionChanged
from schemas.event import Lane, Revision
from services.analyzer.arrivals import Arrival
from services.analyzer.batch_size import BatchSize, BatchSizes
from services.analyzer.batching import BatchingWindow
from services.analyzer.giving_up import GivingUp
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import Ledger
from services.analyzer.live_versions import LiveVersions
from tests.builders import a_conversation, a_record, an_envelope
from tests.unit.analyzer.fakes import FakeClock
from tests.unit.analyzer.versions import FREE, PAID


class World:
    def __init__(self) -> None:
        lanes = (Lane.LIVE, Lane.REPLAY)
        self.ledger = Ledger({lane: InFlightWindow(max_bytes=1_000_000, max_count=100) for lane in lanes})
        self.ledger.open()
        self.window: BatchingWindow[Arrival] = BatchingWindow(
            window_seconds=0, sizes=BatchSizes(lambda: BatchSize(1, 5, 50)), token_budget=1_000
        )
        self.versions = LiveVersions(FREE, [FREE, PAID], FakeClock().clocks)
        self.stuck = {PAID}
        self.acknowledged: list[int] = []
        self.giving_up = GivingUp(self.versions, self.window, self.ledger, lambda version: version in self.stuck)

    def decide(self, *versions: str, retired: tuple[str, ...] = ()) -> None:
        active, *also = versions
        event = ActiveVersionChanged(
            analysis_version=active, also_analysed_under=tuple(also), retired=retired, changed_by="mia"
        )
        self.versions.apply(event, 0)
        self.giving_up.look()

    async def accept(self, offset: int, *versions: str, lane: Lane = Lane.LIVE) -> None:
        """Its outcome under what is free is out already; under the other it waits."""
        place = await self.ledger.admit(lane, 0, offset, 10, lambda: self.acknowledged.append(offset))
        assert place is not None
        self.ledger.expect(place, versions)
        conversation = a_conversation(f"conv-{offset}", f"words {offset}")
        record = a_record(conversation, offset=offset)
        for version in versions:
            arrival = Arrival(lane, record, place, conversation, an_envelope(), Revision(1, offset), version)
            if version == PAID:
                self.window.add(arrival, arrival.task(), version, tokens=1, now=0)
            else:
                self.ledger.done(place, version)


async def test_a_record_that_has_its_outcome_under_the_active_version_waits_no_more_for_an_ended_trial() -> None:
    world = World()
    world.decide(FREE, PAID)
    await world.accept(0, FREE, PAID)
    world.giving_up.look()
    assert world.acknowledged == [], "the trial goes on"
    world.decide(FREE)
    assert world.acknowledged == [0]
    assert world.window.waiting(Lane.LIVE) == 0


async def test_calls_that_can_be_made_are_made() -> None:
    world = World()
    world.stuck = set()
    await world.accept(0, FREE, PAID)
    world.decide(FREE)
    assert world.window.waiting(Lane.LIVE) == 1
    world.stuck = {PAID}
    world.giving_up.look()
    assert world.acknowledged == [0], "and given up when they cannot be made any more"


async def test_who_would_have_no_outcome_at_all_waits_on_and_so_does_a_replay() -> None:
    world = World()
    world.versions.apply(ActiveVersionChanged(analysis_version=PAID, changed_by="mia"), 0)
    await world.accept(0, PAID)
    await world.accept(1, PAID, lane=Lane.REPLAY)
    world.decide(FREE)
    assert world.acknowledged == []
    assert (world.window.waiting(Lane.LIVE), world.window.waiting(Lane.REPLAY)) == (1, 1)


async def test_copies_that_wait_for_a_call_under_a_retired_version_are_let_go_before_they_are_paid_for() -> None:
    world = World()
    world.stuck = set()
    await world.accept(0, PAID, lane=Lane.REPLAY)
    await world.accept(1, FREE, PAID)
    world.decide(FREE)
    assert world.acknowledged == [], "a candidate's results are kept"
    world.decide(FREE, retired=(PAID,))
    assert sorted(world.acknowledged) == [0, 1]
    assert (world.window.waiting(Lane.LIVE), world.window.waiting(Lane.REPLAY)) == (0, 0)


async def test_who_has_no_outcome_but_under_a_retired_version_keeps_it() -> None:
    world = World()
    world.versions.apply(ActiveVersionChanged(analysis_version=PAID, changed_by="mia"), 0)
    await world.accept(0, PAID)
    world.decide(FREE, retired=(PAID,))
    assert world.acknowledged == []
