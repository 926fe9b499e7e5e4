"""Lanes do not slow each other, limits hold, and what a person must look at waits for that person."""

from dataclasses import replace

from schemas.conversation_received import ConversationReceived
from schemas.event import Lane, Revision
from schemas.topics import RECEIVED, REPLAY
from services.analyzer.offline.engine import OfflineEngine
from tests.builders import a_conversation, an_envelope
from tests.integration.analyzer.analyzers import Health
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.engines import FakeEngine
from tests.integration.analyzer.world import World
from tests.waiting import eventually


def _complaints(count: int, name: str) -> list[ConversationReceived]:
    return [a_conversation(f"{name}-{number}", f"My order {name} {number} never came!") for number in range(count)]


async def _says(analyzer: Health, words: str) -> bool:
    status, said = await analyzer.readiness()
    assert status == 503, said
    assert words in said["checks"]["lanes"].get("detail", ""), said
    return True


async def test_a_replay_that_asks_for_an_unknown_version_holds_its_lane_only(
    world: World, start_here: StartHere
) -> None:
    asked = replace(an_envelope(), revision=Revision(1, 1), analysis_version="from-the-future-9")
    await world.post(_complaints(6_000, "replayed"), REPLAY, asked)
    analyzer = await start_here(OfflineEngine())
    await eventually(lambda: _says(analyzer, "from-the-future-9"))
    for turn in range(5):
        live = _complaints(200, f"live{turn}")
        await world.post(live)
        await eventually(lambda posted=live: world.has_outcomes_for(posted), within_seconds=5)  # type: ignore[misc]
    assert not await world.dead_letters()
    assert {outcome.lane for outcome in await world.outcomes()} == {Lane.LIVE}
    assert await world.uncommitted(REPLAY) == 6_000
    assert await _says(analyzer, "from-the-future-9")


async def test_a_flood_of_undecodable_records_holds_its_lane_before_the_topic_is_drained(
    world: World, start_here: StartHere
) -> None:
    for number in range(200):
        await world.write(RECEIVED, str(number).encode(), b"{broken")
    analyzer = await start_here(OfflineEngine())
    await eventually(lambda: _says(analyzer, "could not be decoded"))
    await eventually(lambda: _count_of_dead_letters_is(world, 49))
    assert await world.uncommitted(RECEIVED) >= 151
    await world.hold(0, lane=Lane.LIVE)
    await eventually(lambda: _count_of_dead_letters_is(world, 99))
    await eventually(lambda: _says(analyzer, "live: "))


async def _count_of_dead_letters_is(world: World, count: int) -> bool:
    found = len(await world.dead_letters())
    assert found == count, found
    return True


async def test_paced_calls_keep_the_limit_with_large_batches(world: World, start_here: StartHere) -> None:
    engine = FakeEngine(seconds=0.5)
    conversations = _complaints(1_500, "paced")
    await world.post(conversations)
    analyzer = await start_here(engine, calls_per_second=10, start_batch=20, max_batch=50)
    await eventually(analyzer.is_ready, within_seconds=90)
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=60)
    times = engine.started_at
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 10
    assert max(engine.batches) > 20


async def test_replay_goes_out_when_live_leaves_a_permit_and_live_never_waits_for_it(
    world: World, start_here: StartHere
) -> None:
    engine = FakeEngine()
    copies = replace(an_envelope(), revision=Revision(1, 1))
    replayed = _complaints(400, "replayed")
    await world.post(replayed, REPLAY, copies)
    analyzer = await start_here(engine, calls_per_second=10, start_batch=2, max_batch=2)
    await eventually(analyzer.is_ready, within_seconds=90)
    await eventually(lambda: sum(engine.asked.values()) >= 10)
    live = _complaints(10, "live")
    await world.post(live)
    await eventually(lambda: world.has_outcomes_for(live), within_seconds=5)
    done = {outcome.conversation_id for outcome in await world.outcomes()}
    assert len(done & {conversation.conversation_id for conversation in replayed}) < 200


async def test_the_in_flight_window_is_the_back_pressure_all_the_way_to_kafka(
    world: World, start_here: StartHere
) -> None:
    engine = FakeEngine()
    engine.gate.clear()
    await world.post(_complaints(500, "many"))
    analyzer = await start_here(engine, calls_per_second=0, in_flight_count=100)
    await eventually(lambda: _in_flight_is(analyzer, 100))
    assert sum(engine.asked.values()) <= 100
    engine.gate.set()
    await eventually(world.is_all_acknowledged)
    assert max(engine.asked.values()) == 1


async def _in_flight_is(analyzer: Health, count: int) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("in_flight") == count, said
    return True
