"""The loop that starts batches, with engines of two versions: no time passes here but what a test lets pass."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, cast

import pytest

from schemas.analysis_control import HoldDeclared
from schemas.event import Lane, Revision
from services.analyzer.arrivals import Arrival
from services.analyzer.batch_size import BatchSize, BatchSizes
from services.analyzer.batching import Batch, BatchingWindow
from services.analyzer.calls import Calls
from services.analyzer.dispatch import Dispatcher
from services.analyzer.engine import CallEnd, Usage
from services.analyzer.holds import Holds
from services.analyzer.permissions import Permission
from services.analyzer.probing import Probing
from tests.unit.analyzer.fakes import FakeClock, FakeWaiter
from tests.unit.analyzer.versions import FREE, PAID, FakeSpending, terms_on
from tests.unit.analyzer.windows import a_task
from tests.waiting import eventually


class FakeCalls:
    """Keeps the batches that were started."""

    def __init__(self) -> None:
        self.started: list[tuple[Batch[Arrival], Permission]] = []

    async def run(self, batch: Batch[Arrival], permission: Permission, _: Dispatcher) -> None:
        self.started.append((batch, permission))

    def of(self, version: str) -> list[str]:
        batches = [batch for batch, _ in self.started if batch.analysis_version == version]
        return [work.task.content_hash for batch in batches for work in batch.works]


class Tasks:
    def __init__(self) -> None:
        self.running: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self.running.add(asyncio.ensure_future(work))


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.holds = Holds(self.clock.clocks)
        self.spending = FakeSpending()
        self.calls = FakeCalls()
        self.is_ready = True
        self.probes_answered = 0
        sizes = BatchSizes(lambda: BatchSize(1, 5, 50))
        self.window: BatchingWindow[Arrival] = BatchingWindow(window_seconds=0.25, sizes=sizes, token_budget=1_000)
        self.dispatcher = Dispatcher(
            terms=terms_on(self.clock),
            window=self.window,
            holds=self.holds,
            spending=self.spending,
            probing=Probing(self.holds, lambda: True, self._answered),
            calls=cast("Calls", self.calls),
            tasks=Tasks(),
            is_ready=lambda: self.is_ready,
            clock=self.clock.monotonic,
        )

    def _answered(self) -> None:
        self.probes_answered += 1

    def add(self, content: str, version: str, lane: Lane = Lane.LIVE) -> None:
        waiter = cast("Arrival", FakeWaiter(f"conv-{content}", Revision(1, 1), lane))
        self.window.add(waiter, a_task(content), version, tokens=10, now=self.clock.now)
        self.dispatcher.note_waiting((lane, version))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.dispatcher.wake()

    async def starts(self, version: str, *contents: str) -> None:
        async def has_started() -> bool:
            assert self.calls.of(version) == list(contents), self.calls.of(version)
            return True

        await eventually(has_started, every_seconds=0.001)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    running = asyncio.create_task(made.dispatcher.run())
    yield made
    made.dispatcher.stop()
    await running


async def test_an_engine_that_waits_for_its_pace_keeps_no_other_waiting(world: World) -> None:
    world.add("first", PAID)
    world.pass_time(0.25)
    await world.starts(PAID, "first")
    second, free = [f"second {place}" for place in range(5)], [f"free {place}" for place in range(5)]
    for content in second:
        world.add(content, PAID)
    for content in free:
        world.add(content, FREE)
    await world.starts(FREE, *free)
    await world.starts(PAID, "first")
    world.pass_time(0.25)
    await world.starts(PAID, "first", *second)


async def test_a_full_batch_under_a_version_that_the_loop_does_not_wait_for_goes_out_at_once(world: World) -> None:
    world.add("paid", PAID)
    for place in range(5):
        world.add(str(place), FREE)
    await world.starts(FREE, "0", "1", "2", "3", "4")
    await world.starts(PAID)
    world.pass_time(0.25)
    await world.starts(PAID, "paid")


async def test_money_circuit_and_holds_of_a_provider_stop_its_version_and_let_the_other_go_on(world: World) -> None:
    hold = HoldDeclared(hold_seconds=60, paid_only=True, reason="429", declared_by="a test")
    world.holds.apply(hold, world.clock.wall())
    world.add("paid", PAID)
    world.add("free", FREE)
    world.pass_time(0.25)
    await world.starts(FREE, "free")
    await world.starts(PAID)
    assert world.dispatcher.held_lanes() == {Lane.LIVE, Lane.REPLAY}


async def test_live_goes_before_replay_whatever_the_version(world: World) -> None:
    world.is_ready = False
    world.add("replayed", FREE, Lane.REPLAY)
    world.add("live", PAID)
    world.clock.advance(1)
    world.is_ready = True
    world.dispatcher.wake()
    await world.starts(FREE, "replayed")
    await world.starts(PAID, "live")
    assert [batch.lane for batch, _ in world.calls.started] == [Lane.LIVE, Lane.REPLAY]


async def test_a_further_call_goes_under_the_terms_of_its_own_version(world: World) -> None:
    world.add("paid", PAID)
    world.pass_time(0.25)
    await world.starts(PAID, "paid")
    (batch, permission), *_ = world.calls.started
    hold = HoldDeclared(hold_seconds=60, paid_only=True, reason="429", declared_by="a test")
    world.holds.apply(hold, world.clock.wall())
    further = asyncio.create_task(world.dispatcher.again((batch.lane, PAID), batch.works))
    free = await world.dispatcher.again((batch.lane, FREE), batch.works)
    assert free is not None
    assert not further.done()
    permission.ended(CallEnd(Usage()))
    world.dispatcher.drop_further()
    assert await further is None


async def test_an_instance_whose_turn_it_is_and_that_has_nothing_paid_to_ask_says_so_at_once(world: World) -> None:
    world.holds.apply(HoldDeclared(hold_seconds=5, reason="429", declared_by="a test"), world.clock.wall())
    world.add("free", FREE)
    world.pass_time(6)
    await world.starts(FREE, "free")
    assert world.probes_answered == 1


async def test_a_batch_that_is_too_dear_is_made_smaller_and_what_does_not_fit_comes_next(world: World) -> None:
    world.spending.most = 3
    contents = [str(place) for place in range(5)]
    for content in contents:
        world.add(content, PAID)
    await world.starts(PAID, "0", "1", "2")
    world.pass_time(0.25)
    await world.starts(PAID, *contents)
    assert [len(batch.works) for batch, _ in world.calls.started] == [3, 2]


async def test_a_further_call_that_is_too_dear_is_given_up_so_that_its_works_go_in_smaller_ones(world: World) -> None:
    for content in ("0", "1", "2"):
        world.add(content, PAID)
    world.pass_time(0.25)
    await world.starts(PAID, "0", "1", "2")
    ((batch, _),) = world.calls.started
    world.spending.most = 2
    world.pass_time(0.25)
    assert await world.dispatcher.again((Lane.LIVE, PAID), batch.works) is None
    world.pass_time(0.25)
    assert await world.dispatcher.again((Lane.LIVE, PAID), batch.works[:2]) is not None
