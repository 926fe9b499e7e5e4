"""The analyzers are told by the control log, once Kafka takes it, whoever is killed before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from schemas.analysis_control import ActiveVersionChanged
from schemas.codec import decode
from schemas.envelope import new_envelope
from schemas.topics import CONTROL
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.publisher import EventPublisher, Published, open_publisher
from services.sink.sql import decisions as sql
from services.sink.versioning.announcing import KEY, Announcer
from tests.infrastructure import Infrastructure
from tests.integration.sink.letters import read_topic
from tests.integration.sink.running import sink_settings
from tests.integration.sink.versions.world import WHO, World
from tests.waiting import eventually


@pytest.fixture
def connection(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> KafkaConnection:
    settings = sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)
    return KafkaConnection.from_settings(settings)


@pytest.fixture
async def publisher(connection: KafkaConnection) -> AsyncIterator[EventPublisher]:
    async with open_publisher(connection) as opened:
        yield opened


@pytest.fixture
async def decided(world: World) -> World:
    """`v2` is put on trial, and nobody has been told."""
    await world.receive([0])
    await world.analyse([0])
    await world.decisions.begin_trial("v2", WHO)
    return world


async def told(connection: KafkaConnection) -> list[ActiveVersionChanged]:
    events = [decode(raw_record(one, CONTROL), CONTROL).event for one in await read_topic(connection, CONTROL)]
    return [event for event in events if isinstance(event, ActiveVersionChanged)]


async def test_a_decision_is_announced_once_with_who_decided_and_why(
    decided: World, connection: KafkaConnection, publisher: EventPublisher
) -> None:
    announcer = Announcer(decided.sink.pool, publisher)
    assert await announcer.announce()
    assert not await announcer.announce()
    (event,) = await told(connection)
    assert (event.analysis_version, event.also_analysed_under) == ("v1", ("v2",))
    assert (event.changed_by, event.reason) == ("a test", "trial of v2: to see")
    assert (await decided.standings()).is_announced
    live_since = (await decided.of("v2")).live_since
    assert live_since is not None
    assert abs(datetime.now(UTC) - live_since) < timedelta(minutes=10)  # the broker's clock


async def test_what_was_decided_by_a_process_that_was_killed_is_announced_by_the_next_one(
    decided: World, connection: KafkaConnection, publisher: EventPublisher
) -> None:
    assert not (await decided.standings()).is_announced
    stop = asyncio.Event()
    running = asyncio.create_task(Announcer(decided.sink.pool, publisher).run(stop))

    async def is_told() -> bool:
        return bool(await told(connection))

    await eventually(is_told, what="the next process announces it")
    stop.set()
    await running


async def test_killed_after_kafka_had_it_and_before_it_was_noted_it_says_the_same_again(
    decided: World, connection: KafkaConnection, publisher: EventPublisher
) -> None:
    @dataclass
    class Killed:
        """A publisher whose process dies at Kafka's acknowledgement."""

        async def publish(self, *given: object) -> Published:
            await publisher.publish(*given)  # type: ignore[arg-type]
            raise asyncio.CancelledError

    killed = Announcer(decided.sink.pool, Killed())  # type: ignore[arg-type]
    with suppress(asyncio.CancelledError):
        await killed.announce()
    assert await Announcer(decided.sink.pool, publisher).announce()
    first, second = await told(connection)
    assert first == second


async def test_an_older_announcement_that_comes_late_does_not_have_the_last_word(
    decided: World, connection: KafkaConnection, publisher: EventPublisher
) -> None:
    announcer = Announcer(decided.sink.pool, publisher)
    older = await decided.sink.pool.fetchrow(sql.TO_ANNOUNCE)
    await decided.decisions.end_trial("v2", WHO)
    assert await announcer.announce()
    late = ActiveVersionChanged(analysis_version="v1", also_analysed_under=("v2",), changed_by="a process that hung")
    placed = await publisher.publish(CONTROL, KEY, late, new_envelope("/undertone/test", datetime.now(UTC)))
    await decided.sink.pool.execute(
        sql.ANNOUNCED, older["decision"], datetime.fromtimestamp(placed.timestamp_ms / 1000, UTC), placed.offset
    )
    assert await announcer.announce()
    assert [event.also_analysed_under for event in await told(connection)] == [(), ("v2",), ()]
