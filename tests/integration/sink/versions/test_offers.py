"""What the analyzers have engines for, read from a real control log."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from schemas.analysis_control import EnginesOffered, HoldDeclared
from schemas.topics import CONTROL
from services.runtime.kafka import KafkaConnection
from services.sink.resources import open_resources
from services.sink.versioning.offers import open_offers
from tests.infrastructure import Infrastructure
from tests.integration.sink.running import Sender, producer_to, sink_settings
from tests.integration.sink.versions.test_endpoints import client_of, get
from tests.integration.sink.versions.world import World


@pytest.fixture
async def sender(infrastructure: Infrastructure, kafka_topics: str) -> AsyncIterator[Sender]:
    connection = KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=kafka_topics)
    async with producer_to(infrastructure.bootstrap_servers) as producer:
        yield Sender(producer, connection)


async def say(sender: Sender, instance: str, *versions: str, stands_seconds: float = 1800) -> None:
    word = EnginesOffered(analysis_versions=versions, stands_seconds=stands_seconds, offered_by=instance)
    await sender.send(CONTROL, "engines", word)


async def test_the_list_of_versions_says_who_has_them(
    infrastructure: Infrastructure, kafka_topics: str, database_url: str, world: World, sender: Sender
) -> None:
    await world.receive([0])
    await world.analyse([0])
    settings = sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)
    async with open_resources(settings) as resources, client_of(settings, resources) as client:
        found = await get(client)
        assert found["analyzers"] == []
        await sender.send_raw(CONTROL, b"?", b"no record of ours", [("ce_type", b"undertone.engines.offered.v1")])
        await sender.send(CONTROL, "hold", HoldDeclared(hold_seconds=1, reason="a test", declared_by="test"))
        await say(sender, "b", "v1")
        await say(sender, "a", "v1", "v9")
        await say(sender, "c", "v1", stands_seconds=1e-3)
        found = await get(client)
        assert [(one["instance"], one["analysis_versions"]) for one in found["analyzers"]] == [
            ("a", ["v1", "v9"]),
            ("b", ["v1"]),
        ]
        assert [one["is_overdue"] for one in found["analyzers"]] == [False, False]
        assert found["versions"][0]["offered_by"] == ["a", "b"]
        await say(sender, "b")
        assert (await get(client))["versions"][0]["offered_by"] == ["a"]


async def test_without_kafka_nobody_knows_and_the_list_is_there_all_the_same(database_url: str, world: World) -> None:
    await world.receive([0])
    await world.analyse([0])
    settings = sink_settings("127.0.0.1:9", database_url, "nowhere-")
    async with open_resources(settings) as resources, client_of(settings, resources) as client:
        found = await get(client)
    assert found["analyzers"] is None
    assert [(one["analysis_version"], one["offered_by"]) for one in found["versions"]] == [("v1", None)]


async def test_a_log_that_was_made_anew_is_read_from_its_beginning(
    infrastructure: Infrastructure, kafka_topics: str, sender: Sender
) -> None:
    connection = KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=kafka_topics)
    async with open_offers(connection) as offers:
        await say(sender, "a", "v1")
        assert len(await offers.standing(datetime.now(UTC)) or ()) == 1
        offers._reader.seek(offers._place, 1_000_000)  # where the log of before had ended
        await say(sender, "b", "v1")
        found = await offers.standing(datetime.now(UTC))
        assert [offer.instance for offer in found or ()] == ["a", "b"]
