"""Joining, leaving and dying analyzers: nothing is lost, nothing unsent is paid twice."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from schemas.codec import RawRecord
from schemas.conversation_received import ConversationReceived
from schemas.insight_produced import InsightProduced
from schemas.topics import RECEIVED
from services.analyzer.intake import Intake
from services.analyzer.offline.engine import OfflineEngine
from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import Health, both_own_half
from tests.integration.analyzer.conftest import StartApart, StartHere
from tests.integration.analyzer.engines import FakeEngine
from tests.integration.analyzer.world import World
from tests.waiting import eventually


def _complaints(count: int, name: str = "conv") -> list[ConversationReceived]:
    return [
        a_conversation(f"{name}-{number}", f"Parcel {name} {number} is late and nobody answers me!")
        for number in range(count)
    ]


async def test_a_join_and_a_leave_with_calls_in_flight_lose_nothing_and_repeat_only_those_calls(
    world: World, start_here: StartHere
) -> None:
    one, two = FakeEngine(seconds=0.2), FakeEngine(seconds=0.2)
    conversations = _complaints(1_000)
    first = await start_here(one, calls_per_second=10, start_batch=5, max_batch=5)
    await eventually(first.is_ready, within_seconds=90)
    await world.post(conversations)
    await eventually(lambda: sum(one.asked.values()) >= 60)
    second = await start_here(two, calls_per_second=10, start_batch=5, max_batch=5)
    await both_own_half(first, second, within_seconds=10)
    await eventually(lambda: sum(two.asked.values()) >= 30)
    assert await second.stop() == 0
    await eventually(lambda: _owns(first, 12), within_seconds=10)
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=60)
    await eventually(world.is_all_acknowledged)
    asked = one.asked + two.asked
    repeated = sum(count - 1 for count in asked.values())
    # Batches of 5 for 0.2 s at 10 calls/s at each of two rebalances, and what was answered behind them.
    assert repeated <= 60, f"{repeated} conversations were asked for again"


async def test_a_join_while_all_calls_are_held_deals_partitions_at_once_and_sends_nothing(
    world: World, start_here: StartHere
) -> None:
    one, two = FakeEngine(), FakeEngine()
    conversations = _complaints(500)
    first = await start_here(one, calls_per_second=0)
    await eventually(first.is_ready, within_seconds=90)
    await world.hold(600)
    await eventually(lambda: _is_held(first))
    await world.post(conversations)
    second = await start_here(two, calls_per_second=0)
    await both_own_half(first, second, within_seconds=10)
    assert await first.stop() == 0
    await eventually(lambda: _owns(second, 12), within_seconds=10)
    assert not one.asked
    assert not two.asked
    await world.hold(0)
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=60)
    assert max(two.asked.values()) == 1
    await eventually(world.is_all_acknowledged)


async def _owns(analyzer: Health, count: int) -> bool:
    found = await analyzer.partitions()
    assert found == count, found
    return True


async def _is_held(analyzer: Health) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("holds"), said
    return True


async def test_a_kill_in_the_middle_loses_nothing(world: World, start_apart: StartApart) -> None:
    conversations = _complaints(2_000)
    analyzer = await start_apart(ANALYZER_INSTANCE_ID="analyzer-1")
    await world.post(conversations)
    await eventually(lambda: _some_outcomes(world, 200))
    await analyzer.kill()
    await analyzer.run()
    await eventually(analyzer.is_ready, within_seconds=60, what="a static member resumes")
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=60)
    await eventually(world.is_all_acknowledged)
    insights = [outcome for outcome in await world.outcomes() if isinstance(outcome, InsightProduced)]
    assert len(insights) == len(await world.outcomes())
    assert len({insight.insight_id for insight in insights}) == 2_000


async def _some_outcomes(world: World, count: int) -> bool:
    return len(await world.outcomes()) >= count


async def test_after_a_graceful_end_everything_answered_is_acknowledged_and_the_rest_comes_again(
    world: World, start_here: StartHere
) -> None:
    engine = FakeEngine()
    engine.gate.clear()
    conversations = _complaints(200)
    first = await start_here(engine, calls_per_second=20, start_batch=5, max_batch=5, drain_seconds=10)
    await world.post(conversations)
    await eventually(lambda: engine.running >= 3)
    stopping = asyncio.create_task(first.stop())
    await eventually(lambda: _has_stopped_starting(first), what="no more calls start")
    in_flight = sum(engine.asked.values())
    engine.gate.set()
    assert await stopping == 0
    assert len(await world.outcomes()) == in_flight == sum(engine.asked.values())
    second_engine = FakeEngine()
    await start_here(second_engine, calls_per_second=0)
    await eventually(lambda: world.has_outcomes_for(conversations))
    await eventually(world.is_all_acknowledged)
    # Offsets are acknowledged in order: what was answered behind an unanswered one comes again, and no more.
    assert sum((engine.asked + second_engine.asked).values()) <= 200 + in_flight


async def _has_stopped_starting(analyzer: Health) -> bool:
    """A draining analyzer takes no work: nothing waits for a call any more."""
    _, said = await analyzer.readiness()
    assert said.get("queue_depth") == {"live": 0, "replay": 0}, said
    return True


async def test_a_frozen_analyzer_loses_its_partitions_and_comes_back_without_harm(
    world: World, start_apart: StartApart, start_here: StartHere
) -> None:
    frozen = await start_apart(ANALYZER_SESSION_TIMEOUT_SECONDS="6")
    await eventually(frozen.is_ready, within_seconds=90)
    other = await start_here(OfflineEngine(), session_timeout_seconds=6)
    await both_own_half(frozen, other)
    frozen.signal(signal.SIGSTOP)
    conversations = _complaints(300, "while-frozen")
    await world.post(conversations)
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=40)
    frozen.signal(signal.SIGCONT)
    await both_own_half(frozen, other, within_seconds=30)
    more = _complaints(300, "after")
    await world.post(more)
    await eventually(lambda: world.has_outcomes_for(more))
    await eventually(world.is_all_acknowledged)
    assert await world.uncommitted(RECEIVED) == 0


async def test_records_dropped_at_the_end_of_a_log_are_read_again(
    world: World, start_here: StartHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Faust hands over between the seek and the assignment is not ours yet; nothing may follow that would tell."""
    conversations = _complaints(60)
    take = Intake._take
    dropped: list[int] = []

    async def drop_the_first(intake: Intake, record: RawRecord, acknowledge: Callable[[], object]) -> None:
        if len(dropped) < len(conversations):
            dropped.append(record.offset)
        else:
            await take(intake, record, acknowledge)

    monkeypatch.setattr(Intake, "_take", drop_the_first)
    analyzer = await start_here(FakeEngine(), calls_per_second=0)
    await eventually(analyzer.is_ready, within_seconds=90)
    await world.post(conversations)
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=30)
    await eventually(world.is_all_acknowledged)
