"""Nothing is paid for twice: a real sink is asked what is known, before the money goes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path as FilePath

import pytest

from schemas.conversation_received import ConversationReceived
from schemas.insight_produced import InsightProduced, Path
from services.runtime.kafka import KafkaConnection
from tests.builders import a_conversation
from tests.http_client import http_client
from tests.integration.analyzer.analyzers import OwnProcess
from tests.integration.analyzer.conftest import StartApart
from tests.integration.analyzer.llm_fleet import llm_settings
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import Running, running_simulator

FAST = Conduct(latency_seconds=0.2, seconds_per_output_token=0)
StartSink = Callable[[], Awaitable[tuple[str, OwnProcess]]]


@pytest.fixture
async def start_sink(connection: KafkaConnection, database_url: str, tmp_path: FilePath) -> AsyncIterator[StartSink]:
    """Start a sink as a process of its own; gives its address."""
    started: list[OwnProcess] = []

    async def start() -> tuple[str, OwnProcess]:
        port = free_port()
        sink = await OwnProcess.start(
            connection, tmp_path / "sink.log", module="services.sink", DATABASE_URL=database_url, SINK_PORT=str(port)
        )
        sink.port = port
        started.append(sink)
        await eventually(sink.is_ready, within_seconds=90)
        return f"http://127.0.0.1:{port}", sink

    yield start
    for sink in started:
        await sink.kill()


def _complaints(count: int) -> list[ConversationReceived]:
    return [
        a_conversation(f"conv-{number}", f"My parcel {number} is late again and nobody answers the phone")
        for number in range(count)
    ]


async def _metric(analyzer: OwnProcess, name: str) -> float:
    async with http_client() as client:
        text = (await client.get(f"http://127.0.0.1:{analyzer.port}/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_what_the_sink_knows_is_not_paid_for_again(
    world: World, start_apart: StartApart, start_sink: StartSink
) -> None:
    address, _ = await start_sink()
    conversations = _complaints(60)
    async with running_simulator(FAST) as running:
        variables = llm_settings(running, ANALYZER_LOOKUP_URL=address)
        await world.post(conversations)
        first = await start_apart("first", **variables)
        await eventually(lambda: world.has_outcomes_for(conversations))
        await first.stop()
        calls = running.simulator.statistics.calls

        # A group of its own begins at the first record: everything comes again, and the sink lags behind or not.
        second = await start_apart("second", KAFKA_GROUP_PREFIX=f"again-{world.connection.group_prefix}", **variables)
        await eventually(lambda: _twice(world, len(conversations)))
        assert running.simulator.statistics.calls == calls
        insights = [outcome for outcome in await world.outcomes() if isinstance(outcome, InsightProduced)]
        again = insights[len(conversations) :]
        assert {insight.path for insight in again} == {Path.CACHE}
        assert {insight.cost_usd for insight in again} == {0.0}
        assert {insight.insight_id for insight in again} == {insight.insight_id for insight in insights}
        assert await _metric(second, 'undertone_analysis_cache_hits_total{source="sink"}') == len(conversations)
        assert await _metric(second, 'undertone_analysis_storage_barriers_total{outcome="stored"}') >= 12


async def _twice(world: World, count: int) -> bool:
    assert (found := len(await world.outcomes())) == 2 * count, found
    return True


async def test_after_a_kill_only_calls_in_flight_are_paid_again(
    world: World, start_apart: StartApart, start_sink: StartSink
) -> None:
    address, _ = await start_sink()
    conversations, batch = _complaints(400), 5
    async with running_simulator(FAST) as running:
        variables = llm_settings(
            running,
            ANALYZER_LOOKUP_URL=address,
            ANALYZER_INSTANCE_ID="one",
            ANALYZER_MAX_BATCH=str(batch),
            ANALYZER_CALLS_PER_SECOND="20",
        )
        await world.post(conversations)
        analyzer = await start_apart(**variables)
        await eventually(lambda: _has_called(running, 25), within_seconds=90)
        assert await _metric(analyzer, "undertone_analysis_in_flight_records") > 0
        await analyzer.kill()
        at_the_kill = running.simulator.summary()
        asked = at_the_kill["conversations"]["distinct"] + at_the_kill["calls"]["in_progress"] * batch
        unpublished = asked - len(await world.outcomes())
        await analyzer.run()
        await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=60)
        again = running.simulator.summary()["conversations"]["answered_again"]
        assert again <= unpublished, "paid again for what was published before the kill"


async def _has_called(running: Running, wanted: int) -> bool:
    assert running.simulator.statistics.calls >= wanted
    return True


async def test_a_sink_that_is_away_is_waited_for_and_then_done_without(world: World, start_apart: StartApart) -> None:
    conversations = _complaints(10)
    async with running_simulator(FAST) as running:
        nobody = f"http://127.0.0.1:{free_port()}"
        variables = llm_settings(running, ANALYZER_LOOKUP_URL=nobody, ANALYZER_LOOKUP_WAIT_SECONDS="2")
        await world.post(conversations)
        analyzer = await start_apart(**variables)
        await eventually(lambda: _says_lookup(analyzer, 200))
        await eventually(lambda: world.has_outcomes_for(conversations))
        assert await _metric(analyzer, "undertone_analysis_not_looked_up_total") == len(conversations)


async def test_a_required_sink_is_waited_for_until_it_answers(
    world: World, start_apart: StartApart, start_sink: StartSink
) -> None:
    address, sink = await start_sink()
    await sink.kill()
    conversations = _complaints(10)
    async with running_simulator(FAST) as running:
        variables = llm_settings(
            running, ANALYZER_LOOKUP_URL=address, ANALYZER_LOOKUP_WAIT_SECONDS="0.5", ANALYZER_LOOKUP_REQUIRED="true"
        )
        await world.post(conversations)
        analyzer = await start_apart(**variables)
        await eventually(lambda: _says_lookup(analyzer, 503))
        failures = await _metric(analyzer, 'undertone_analysis_lookups_total{outcome="failed"}')
        await eventually(lambda: _more_failures(analyzer, failures + 6))
        assert running.simulator.statistics.calls == 0
        await sink.run()
        await eventually(lambda: world.has_outcomes_for(conversations))
        await asyncio.wait_for(analyzer.stop(), 30)


async def _says_lookup(analyzer: OwnProcess, status: int) -> bool:
    found, said = await analyzer.readiness()
    assert found == status, said
    assert "cannot be reached" in str(said["checks"]["lookup"].get("detail")), said
    return True


async def _more_failures(analyzer: OwnProcess, wanted: float) -> bool:
    assert await _metric(analyzer, 'undertone_analysis_lookups_total{outcome="failed"}') >= wanted
    return True
