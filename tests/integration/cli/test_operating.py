"""What operators ask and say: recounts, unknown clusters, erasure, lag and holds; on real servers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.analysis_control import HoldDeclared
from schemas.event import Lane
from schemas.topics import CONTROL, RECEIVED, REPLAY
from services.runtime.kafka import KafkaConnection
from services.sink.database import open_write_pool
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import read_all
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal
from tests.integration.sink.harness import Sink, insight, posting
from tests.waiting import eventually
from undertone.embedded.lag import analyzer_lag


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_write_pool(database_url) as opened:
        yield opened


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Terminal:
    """A shell that knows the test's database."""
    return Terminal(tmp_path, {"DATABASE_URL": database_url})


async def _store_three(pool: asyncpg.Pool) -> None:
    words = [f"The parcel number {number} is late." for number in range(3)]
    sink = await Sink(pool).claim()
    postings = [posting(f"c{number}", text, number + 1) for number, text in enumerate(words)]
    await sink.store_mixed(postings, [insight(f"c{number}", text, number + 1) for number, text in enumerate(words)])


async def test_rollups_that_agree_with_a_recount_are_exit_code_0(pool: asyncpg.Pool, shell: Terminal) -> None:
    await _store_three(pool)
    ended = await shell.run("audit", "rollups")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "rollup_minutes",
        "rollup_hours",
        "rollup_days",
        "rollup_status_minutes",
        "rollup_status_hours",
        "rollup_status_days",
        "coverage",
    ]
    assert all(line.endswith("rows compared, all agree") and int(line.split()[1]) > 0 for line in lines)


async def test_a_rollup_that_differs_is_named_row_by_row_and_is_exit_code_1(
    pool: asyncpg.Pool, shell: Terminal
) -> None:
    await _store_three(pool)
    await pool.execute("UPDATE rollup_hours SET negative = 5 WHERE channel = 'chat' AND subject = 'delivery'")
    await pool.execute("DELETE FROM rollup_status_minutes WHERE channel = ''")
    ended = await shell.run("audit", "rollups")
    assert ended.code == 1
    assert "1 differ\n  2026-03-02T09:00:00Z, version v1, channel chat, subject delivery: negative 5 instead of 3" in (
        ended.out
    )
    assert "completed 0 instead of 3" in ended.out
    found = json.loads((await shell.run("audit", "rollups", "--json")).out)
    assert {one["rollup"]: len(one["differences"]) for one in found} == {
        "rollup_minutes": 0,
        "rollup_hours": 1,
        "rollup_days": 0,
        "rollup_status_minutes": 1,
        "rollup_status_hours": 0,
        "rollup_status_days": 0,
        "coverage": 0,
    }
    assert all(one["rows"] > 0 for one in found)


async def test_frequent_unknown_clusters_are_suggested_with_conversations_to_look_at(
    pool: asyncpg.Pool, shell: Terminal
) -> None:
    words = [f"I want to sell my lamp number {number}." for number in range(4)]
    named = [("selling", "refund"), ("selling",), ("lamps", "selling"), ("general_inquiry",)]
    sink = await Sink(pool).claim()
    await sink.store_mixed(
        [posting(f"c{number}", text, number + 1) for number, text in enumerate(words)],
        [
            insight(f"c{number}", text, number + 1, topics=["other"]).model_copy(update={"clusters": clusters})
            for number, (text, clusters) in enumerate(zip(words, named, strict=True))
        ],
    )
    ended = await shell.run("subjects", "suggest", "--since", "2026-03-01", "--json")
    assert json.loads(ended.out) == [
        {"cluster": "selling", "insights": 3, "examples": ["c0", "c2"]},
        {"cluster": "lamps", "insights": 1, "examples": ["c2"]},
    ]
    table = (await shell.run("subjects", "suggest", "--since", "2026-03-01", "--limit", "1")).out
    assert "undertone show c2" in table
    assert "lamps" not in table
    none = await shell.run("subjects", "suggest", "--since", "2026-03-03")
    assert (none.code, none.out.startswith("The registry knows every cluster since 2026-03-03")) == (0, True)


@pytest.mark.parametrize(
    "arguments", [["audit", "rollups"], ["subjects", "suggest"], ["erase", "c1"], ["offsets", "show"]]
)
async def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    ended = await Terminal(tmp_path, {"DATABASE_URL": "postgresql://u@127.0.0.1:1/none"}).run(*arguments)
    assert ended.code == 1
    assert "Postgres cannot be reached by DATABASE_URL" in ended.err
    assert ended.err.count("\n") == 1


async def test_an_id_that_nothing_is_stored_under_is_asked_about_and_erased_when_a_person_means_it(
    shell: Terminal,
) -> None:
    asked = await shell.run("erase", "never-seen")
    assert asked.code == 2
    assert asked.err.startswith("undertone: Nothing is stored under never-seen. Erase what may be on its way?")
    assert "add --yes" in asked.err
    ended = await shell.run("erase", "never-seen", "--yes")
    assert ended.code == 0, ended.err
    again = await shell.run("erase", "never-seen")
    assert again.code == 0, "its erasure is known now"
    assert ended.out.startswith("never-seen: nothing of it is stored.\n")


async def test_the_analyzers_lag_is_what_its_group_has_not_committed_on_each_lane(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    connection = KafkaConnection(infrastructure.bootstrap_servers, kafka_topics, kafka_topics)
    received, replay = (connection.topic_name(topic) for topic in (RECEIVED, REPLAY))
    async with AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap_servers) as producer:
        for topic, count in ((received, 9), (replay, 4)):
            for number in range(count):
                await producer.send_and_wait(topic, b"{}", partition=number % 3)
    await eventually(lambda: _lag_is(connection, live=9, replay=4), what="nothing is committed")
    async with AIOKafkaConsumer(
        bootstrap_servers=infrastructure.bootstrap_servers,
        group_id=connection.group_name("analyzer"),
        enable_auto_commit=False,
    ) as consumer:
        partitions = {TopicPartition(received, 0): 3, TopicPartition(received, 1): 1, TopicPartition(replay, 0): 2}
        consumer.assign(list(partitions))
        await consumer.commit(partitions)
    await eventually(lambda: _lag_is(connection, live=5, replay=2), what="some is committed")


async def _lag_is(connection: KafkaConnection, *, live: int, replay: int) -> bool:
    found = await analyzer_lag(connection)
    assert found == {RECEIVED.name: live, REPLAY.name: replay}, found
    return True


async def test_the_lag_on_a_kafka_that_is_not_there_is_unknown() -> None:
    assert await analyzer_lag(KafkaConnection("127.0.0.1:1")) is None


async def test_a_hold_and_its_release_are_events_of_the_control_log(
    infrastructure: Infrastructure, kafka_topics: str, tmp_path: Path
) -> None:
    shell = Terminal(
        tmp_path,
        {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": kafka_topics},
    )
    held = await shell.run("hold", "--for", "90s", "--lane", "replay", "--reason", "the provider asked for it")
    assert held.out.startswith("The replay lane is held until"), held.err
    assert "undertone release --lane replay" in held.out
    assert (await shell.run("release")).out == (
        "Both lanes are released: no hold stops analyses. `undertone status` says if anything else does.\n"
    )
    records = await read_all(Deployment(infrastructure.bootstrap_servers, "", tmp_path, kafka_topics), CONTROL)
    hold, release = (HoldDeclared.model_validate_json(record.value) for record in records)
    assert (hold.hold_seconds, hold.lane, hold.reason) == (90, Lane.REPLAY, "the provider asked for it")
    assert hold.declared_by.startswith("operator")
    assert (release.hold_seconds, release.lane) == (0, None)


async def test_a_hold_without_a_kafka_is_one_sentence(
    infrastructure: Infrastructure, topic_prefix: str, tmp_path: Path
) -> None:
    missing = {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": topic_prefix}
    ended = await Terminal(tmp_path, missing).run("hold", "--reason", "x")
    assert ended.code == 1
    assert f"Kafka has no topic {topic_prefix}{CONTROL.name}: create it with `undertone topics apply`." in ended.err
