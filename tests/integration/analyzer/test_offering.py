"""What an analyzer says of its engines in the control log, on a real Kafka."""

from schemas.analysis_control import EnginesOffered
from schemas.codec import decode
from schemas.topics import CONTROL
from services.analyzer.offline.engine import OfflineEngine
from tests.builders import a_conversation
from tests.integration.analyzer.conftest import StartApart, StartHere
from tests.integration.analyzer.engines import FakeEngine
from tests.integration.analyzer.world import World
from tests.waiting import eventually


async def _words(world: World) -> list[tuple[str, tuple[str, ...]]]:
    events = [decode(record, CONTROL).event for record in await world.records(CONTROL)]
    return [(one.offered_by, one.analysis_versions) for one in events if isinstance(one, EnginesOffered)]


async def _said(world: World, *words: tuple[str, tuple[str, ...]]) -> bool:
    found = await _words(world)
    assert found == list(words)
    return True


async def test_an_analyzer_says_what_it_has_once_it_runs_and_takes_it_back_when_it_stops(
    world: World, start_here: StartHere
) -> None:
    analyzer = await start_here(OfflineEngine(), FakeEngine(), calls_per_second=0, instance_id="one")
    await eventually(lambda: _said(world, ("one", ("offline-2", "fake-1"))))
    await eventually(analyzer.is_ready)
    assert await analyzer.stop() == 0
    await eventually(lambda: _said(world, ("one", ("offline-2", "fake-1")), ("one", ())))


async def test_the_word_of_an_analyzer_that_was_killed_is_followed_by_that_of_the_next(
    world: World, start_apart: StartApart
) -> None:
    analyzer = await start_apart(ANALYZER_ENGINE="offline", ANALYZER_INSTANCE_ID="one")
    await eventually(lambda: _said(world, ("one", ("offline-2",))), within_seconds=60)
    await analyzer.kill()
    await analyzer.run()
    await eventually(lambda: _said(world, *[("one", ("offline-2",))] * 2), within_seconds=60)
    await eventually(analyzer.is_ready, within_seconds=60)
    await analyzer.stop()
    await eventually(lambda: _said(world, *[("one", ("offline-2",))] * 2, ("one", ())))


async def test_an_event_of_a_newer_release_in_the_control_log_stops_nobody(world: World, start_here: StartHere) -> None:
    name = world.connection.topic_name(CONTROL)
    await world.producer.send_and_wait(name, b"{}", headers=[("ce_type", b"undertone.engines.offered.v2")])
    analyzer = await start_here(OfflineEngine())
    await eventually(analyzer.is_ready)
    conversation = a_conversation("c", "My parcel never came!")
    await world.post([conversation])
    await eventually(lambda: world.has_outcomes_for([conversation]))
