"""Kafka and Postgres away while records come, and a sink killed in the middle: nothing lost, nothing doubled."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from schemas.event import Revision
from schemas.topics import ANALYZED, RECEIVED
from services.runtime.kafka import KafkaConnection
from services.sink.recount import differing_cells
from services.sink.settings import SinkSettings
from tests.builders import a_conversation
from tests.infrastructure import Infrastructure, OwnStack
from tests.integration.sink.harness import insight
from tests.integration.sink.running import Sender, producer_to, running_sink, sink_settings
from tests.waiting import eventually

WORDS = "My parcel is late."


async def send(sender: Sender, names: list[str]) -> None:
    """Conversations with their outcomes."""

    async def one(name: str) -> None:
        revision = Revision(*await sender.send(RECEIVED, name, a_conversation(name, WORDS)))
        outcome = insight(name, WORDS, 1).model_copy(update={"revision": revision})
        await sender.send(ANALYZED, name, outcome)

    await asyncio.gather(*(one(name) for name in names))


async def completed(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        assert await differing_cells(connection) == []
        found: int = await connection.fetchval("SELECT count(*) FROM conversations WHERE status = 'completed'")
        return found
    finally:
        await connection.close()


async def test_a_batch_is_held_while_postgres_is_away_and_stored_when_it_is_back(own_stack: OwnStack) -> None:
    settings = sink_settings(own_stack.bootstrap_servers, own_stack.database_url, "")
    connection = KafkaConnection.from_settings(settings)
    async with producer_to(own_stack.bootstrap_servers) as producer, running_sink(settings) as sink:
        sender = Sender(producer, connection)
        await send(sender, [f"before-{index}" for index in range(50)])
        for kill in (False, True):
            await (own_stack.kill_postgres() if kill else own_stack.stop_postgres())
            await send(sender, [f"during-{kill}-{index}" for index in range(50)])
            await eventually(lambda: not sink.consumer.check_storing().ok, what="it says that a batch is held")
            assert not sink.task.done()
            await own_stack.start_postgres()
            await eventually(lambda: sink.consumer.check_storing().ok, what="it stores again")
        await eventually(lambda: _is(own_stack.database_url, 150))


async def _is(url: str, count: int) -> bool:
    return await completed(url) == count


async def test_a_sink_goes_on_by_itself_when_kafka_is_back(own_stack: OwnStack) -> None:
    settings = sink_settings(own_stack.bootstrap_servers, own_stack.database_url, "")
    connection = KafkaConnection.from_settings(settings)
    async with running_sink(settings):
        for turn in range(2):
            async with producer_to(own_stack.bootstrap_servers) as producer:
                await send(Sender(producer, connection), [f"c{turn}-{index}" for index in range(50)])
            await eventually(lambda count=50 * (turn + 1): _is(own_stack.database_url, count))  # type: ignore[misc]
            if turn == 0:
                await own_stack.kill_kafka()
                await own_stack.start_kafka()


async def test_a_sink_that_starts_before_kafka_and_postgres_waits_for_them(own_stack: OwnStack) -> None:
    settings = sink_settings(own_stack.bootstrap_servers, own_stack.database_url, "")
    await own_stack.stop_kafka()
    await own_stack.stop_postgres()
    async with running_sink(settings, wait=False) as sink:
        assert not sink.consumer.check_assignment().ok
        await own_stack.start_kafka()
        await eventually(lambda: "postgres" in str(sink.consumer.check_assignment().detail), within_seconds=60)
        await own_stack.start_postgres()
        await eventually(sink.is_ready)


@asynccontextmanager
async def process(settings: SinkSettings, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A consumer in a process of its own, to be killed."""
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "KAFKA_GROUP_PREFIX": settings.kafka_group_prefix,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SINK_INSTANCE_ID": name,
        "SINK_BATCH_RECORDS": "40",
        "SINK_PORT": str(28_000 + os.getpid() % 1000),
        "LOG_LEVEL": "WARNING",
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.sink", "--role", "consumer", env=environment
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(started.wait(), 30) == 0


@pytest.mark.timeout(180)
async def test_a_sink_killed_again_and_again_stores_each_outcome_once(
    infrastructure: Infrastructure, database_url: str, kafka_topics: str
) -> None:
    settings = sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)
    sent = 0
    async with producer_to(settings.kafka_bootstrap_servers) as producer:
        sender = Sender(producer, KafkaConnection.from_settings(settings))
        for _ in range(4):
            before = await completed(database_url)
            async with process(settings, "sink-1") as running:
                names = [f"c{sent + index}" for index in range(400)]
                sent += len(names)
                await send(sender, names)
                await eventually(lambda least=before: _more_than(database_url, least), every_seconds=0.01)  # type: ignore[misc]
                running.kill()
                await running.wait()
    async with process(settings, "sink-1"):
        await eventually(lambda: _is(database_url, sent), within_seconds=60, every_seconds=0.5)


async def _more_than(url: str, count: int) -> bool:
    return await completed(url) > count
