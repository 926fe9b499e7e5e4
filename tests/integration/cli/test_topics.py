"""Topics on a real Kafka: made once, mended, never shrunk."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import RECEIVED, TOPICS
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal
from tests.waiting import eventually
from undertone import topics

_30_DAYS_MS = str(30 * 86_400_000)


@asynccontextmanager
async def _admin(infrastructure: Infrastructure) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=infrastructure.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _settings(infrastructure: Infrastructure, name: str) -> dict[str, str]:
    async with _admin(infrastructure) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def _create(infrastructure: Infrastructure, name: str, partitions: int, settings: Mapping[str, str]) -> None:
    async with _admin(infrastructure) as admin:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(settings))])

        async def is_there() -> bool:
            return name in await admin.list_topics()

        await eventually(is_there, what=f"{name} is there")


async def test_topics_are_made_as_planned_and_a_second_time_nothing_is_left_to_do(
    infrastructure: Infrastructure, topic_prefix: str
) -> None:
    planned = await topics.plan(infrastructure.bootstrap_servers, topic_prefix)
    assert [change.name for change in planned] == [topic_prefix + topic.name for topic in TOPICS]
    assert await topics.apply(infrastructure.bootstrap_servers, topic_prefix) == planned
    assert await topics.apply(infrastructure.bootstrap_servers, topic_prefix) == []
    for topic in TOPICS:
        found = await _settings(infrastructure, topic_prefix + topic.name)
        assert {name: found[name] for name in topic.config()} == topic.config()


async def test_several_may_apply_at_once(infrastructure: Infrastructure, topic_prefix: str) -> None:
    await asyncio.gather(*(topics.apply(infrastructure.bootstrap_servers, topic_prefix) for _ in range(4)))
    assert await topics.plan(infrastructure.bootstrap_servers, topic_prefix) == []


async def test_a_short_retention_is_raised_and_an_operators_other_settings_stay(
    infrastructure: Infrastructure, topic_prefix: str
) -> None:
    name = topic_prefix + RECEIVED.name
    await _create(infrastructure, name, 12, {"retention.ms": "60000", "segment.bytes": "33554432"})
    (mended,) = [change for change in await topics.apply(infrastructure.bootstrap_servers, topic_prefix)
                 if not change.creates]  # fmt: skip
    assert mended.was["retention.ms"] == "60000"
    found = await _settings(infrastructure, name)
    assert found["retention.ms"] == _30_DAYS_MS
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["segment.bytes"] == "33554432"


async def test_a_long_retention_stays(infrastructure: Infrastructure, topic_prefix: str) -> None:
    name = topic_prefix + RECEIVED.name
    await _create(infrastructure, name, 12, {"retention.ms": "-1", "max.message.bytes": str(64 * 1024 * 1024)})
    await topics.apply(infrastructure.bootstrap_servers, topic_prefix)
    found = await _settings(infrastructure, name)
    assert found["retention.ms"] == "-1"
    assert found["max.message.bytes"] == str(64 * 1024 * 1024)


async def test_another_partition_count_is_refused_and_nothing_at_all_is_changed(
    infrastructure: Infrastructure, topic_prefix: str
) -> None:
    await _create(infrastructure, topic_prefix + RECEIVED.name, 3, {})
    with pytest.raises(topics.TopicMismatchError, match="has 3 partitions, the contract says 12"):
        await topics.apply(infrastructure.bootstrap_servers, topic_prefix)
    async with _admin(infrastructure) as admin:
        ours = [name for name in await admin.list_topics() if name.startswith(topic_prefix)]
    assert ours == [topic_prefix + RECEIVED.name]


async def test_the_command_plans_then_applies(
    infrastructure: Infrastructure, topic_prefix: str, tmp_path: Path
) -> None:
    terminal = Terminal(
        tmp_path,
        {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": topic_prefix},
    )
    planned = await terminal.run("topics", "plan")
    assert f"create {topic_prefix}conversations.received.v1: 12 partitions, 1 replica, kept 30 days" in planned.out
    assert "Rights that each service needs" in planned.out
    as_json = json.loads((await terminal.run("topics", "plan", "--json")).out)
    assert len(as_json["changes"]) == len(TOPICS)
    assert as_json["rights"][0]["service"] == "ingress"
    assert (await terminal.run("topics", "apply")).code == 0
    assert "Nothing to do" in (await terminal.run("topics", "apply")).out


async def test_a_mismatch_is_one_sentence_and_exit_code_1(
    infrastructure: Infrastructure, topic_prefix: str, tmp_path: Path
) -> None:
    await _create(infrastructure, topic_prefix + RECEIVED.name, 3, {})
    settings = {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": topic_prefix}
    ended = await Terminal(tmp_path, settings).run("topics", "apply")
    assert ended.code == 1
    assert ended.err.startswith(f"undertone: The topic {topic_prefix}conversations.received.v1 has 3 partitions")
    assert ended.err.count("\n") == 1


async def test_a_wrong_setting_names_its_variable_and_is_exit_code_2(tmp_path: Path) -> None:
    ended = await Terminal(tmp_path, {"KAFKA_SECURITY_PROTOCOL": "TLS"}).run("topics", "plan")
    assert ended.code == 2
    assert ended.err.startswith("KAFKA_SECURITY_PROTOCOL: ")
