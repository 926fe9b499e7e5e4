"""Records of a real Kafka become rows of a real Postgres, through a sink that runs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import encode
from schemas.event import Revision
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, STARTED
from services.runtime.kafka import KafkaConnection
from services.sink.offsets import reset, show
from services.sink.recount import differing_cells
from services.sink.resources import open_resources
from services.sink.settings import SinkSettings
from tests.builders import a_conversation, an_envelope
from tests.infrastructure import Infrastructure
from tests.integration.sink.harness import insight, started
from tests.integration.sink.running import Sender, producer_to, running_sink, sink_settings
from tests.waiting import eventually


@pytest.fixture
def settings(infrastructure: Infrastructure, database_url: str, kafka_topics: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)


@pytest.fixture
async def sender(settings: SinkSettings) -> AsyncIterator[Sender]:
    async with producer_to(settings.kafka_bootstrap_servers) as producer:
        yield Sender(producer, KafkaConnection.from_settings(settings))


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield pool
        async with pool.acquire() as connection:
            assert await differing_cells(connection) == []


async def accept(sender: Sender, conversation_id: str, words: str = "My parcel is late.") -> Revision:
    return Revision(*await sender.send(RECEIVED, conversation_id, a_conversation(conversation_id, words)))


async def complete(sender: Sender, conversation_id: str, revision: Revision, words: str = "My parcel is late.") -> Any:
    outcome = insight(conversation_id, words, 1).model_copy(update={"revision": revision})
    await sender.send(ANALYZED, conversation_id, outcome)
    return outcome


async def statuses(rows: asyncpg.Pool) -> dict[str, str]:
    return {row["conversation_id"]: row["status"] for row in await rows.fetch("SELECT * FROM conversations")}


async def all_completed(rows: asyncpg.Pool, count: int) -> bool:
    return bool(await rows.fetchval("SELECT count(*) FROM conversations WHERE status = 'completed'") == count)


async def test_what_was_sent_before_the_first_start_is_stored(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    revision = await accept(sender, "c1")
    await sender.send(STARTED, "batch", started("c1", 1))
    await complete(sender, "c1", revision)
    async with running_sink(settings):
        await eventually(lambda: all_completed(rows, 1))
    stored = await rows.fetchrow("SELECT revision_ms, revision_offset FROM conversations")
    assert Revision(*stored) == revision


async def test_each_record_has_its_effect_once_however_often_the_sink_is_restarted(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    for turn in range(4):
        async with running_sink(settings, wait=False) as sink:
            for index in range(10):
                name = f"c{turn}-{index}"
                await complete(sender, name, await accept(sender, name))
            await eventually(sink.is_ready)
    async with running_sink(settings):
        await eventually(lambda: all_completed(rows, 40))
    assert await rows.fetchval("SELECT sum(positive + neutral + negative) FROM rollup_hours WHERE subject = ''") == 80
    assert await rows.fetchval("SELECT count(*) FROM insights") == 40


async def test_a_record_that_nobody_can_read_becomes_a_dead_letter_and_its_neighbours_are_stored(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    await complete(sender, "c1", await accept(sender, "c1"))
    await sender.send_raw(ANALYZED, b"c1", b"{not json", [("ce_type", b"undertone.insight.produced.v1")])
    await sender.send_raw(ANALYZED, b"c1", b"{}", [("ce_type", b"undertone.unheard.of.v1")])
    await sender.send_raw(ANALYZED, b"c1", None)
    value, headers = encode(insight("c1", "a", 1), an_envelope())
    await sender.send_raw(ANALYZED, b"another key", value, headers)
    await sender.send_raw(RECEIVED, b"c1", b"{not json")
    await sender.send_raw(STARTED, b"b1", b"{not json")
    await complete(sender, "c2", await accept(sender, "c2"))
    async with running_sink(settings):
        await eventually(lambda: all_completed(rows, 2))
        await eventually(lambda: _count(rows, "dead_letters", 4))
    reasons = await rows.fetch("SELECT reason, record_value FROM dead_letters WHERE service = 'sink'")
    assert sorted(row["reason"] for row in reasons) == ["key_mismatch", "undecodable", "unknown_type", "unknown_type"]
    assert b"{not json" in {row["record_value"] for row in reasons}, "the bytes are kept as they came"


async def _count(rows: asyncpg.Pool, table: str, count: int) -> bool:
    return bool(await rows.fetchval(f"SELECT count(*) FROM {table}") == count)


async def test_a_row_that_postgres_refuses_becomes_a_dead_letter_and_its_neighbours_are_stored(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    revisions = {f"c{index}": await accept(sender, f"c{index}") for index in range(20)}
    for index, (name, revision) in enumerate(revisions.items()):
        outcome = insight(name, "My parcel is late.", 1).model_copy(update={"revision": revision})
        if index in {3, 11}:
            outcome = outcome.model_copy(update={"channel": "a\x00b"})
        await sender.send(ANALYZED, name, outcome)
    async with running_sink(settings):
        await eventually(lambda: all_completed(rows, 18))
        await eventually(lambda: _count(rows, "dead_letters", 2))
    found = await rows.fetch("SELECT reason, detail, conversation_id FROM dead_letters ORDER BY conversation_id")
    assert [(row["reason"], row["conversation_id"]) for row in found] == [("unstorable", "c11"), ("unstorable", "c3")]
    assert "a\x00b" not in found[0]["detail"]
    assert (await statuses(rows))["c3"] == "queued"


async def test_a_dead_letter_is_never_dead_lettered(settings: SinkSettings, sender: Sender, rows: asyncpg.Pool) -> None:
    await sender.send_raw(DEAD_LETTER, b"c1", b"whatever", [("some", b"header")])
    await sender.send_raw(DEAD_LETTER, None, b"", [("undertone_dead_letter_id", b"nonsense")])
    async with running_sink(settings):
        await eventually(lambda: _count(rows, "dead_letters", 2))
    assert await rows.fetchval("SELECT count(*) FROM dead_letters WHERE reason = 'unknown'") == 2


async def test_the_largest_records_are_stored(settings: SinkSettings, sender: Sender, rows: asyncpg.Pool) -> None:
    texts = ["x" * 19_900] * 200
    large = a_conversation("large", *texts)
    value, _ = encode(large, an_envelope())
    assert 3.7 < len(value) / 2**20 < 4
    revision = Revision(*await sender.send(RECEIVED, "large", large))
    outcome = insight("large", "w", 1).model_copy(update={"revision": revision})
    await sender.send(ANALYZED, "large", outcome)
    await sender.send_raw(DEAD_LETTER, b"large", b"y" * 7_900_000)
    async with running_sink(settings):
        await eventually(lambda: all_completed(rows, 1))
        await eventually(lambda: _count(rows, "dead_letters", 1))
    assert await rows.fetchval("SELECT json_array_length(turns) FROM conversation_turns") == 200
    assert await rows.fetchval("SELECT length(record_value) FROM dead_letters") == 7_900_000


async def test_stored_offsets_are_written_to_kafka_for_lag_tools(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    await accept(sender, "c1")
    connection = KafkaConnection.from_settings(settings)
    async with running_sink(settings):
        await eventually(lambda: _count(rows, "conversations", 1))
    partition = await rows.fetchval("SELECT received_partition FROM conversations")
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=connection.group_name("sink"),
        enable_auto_commit=False,
    )
    await reader.start()
    try:
        assert await reader.committed(TopicPartition(connection.topic_name(RECEIVED), partition)) == 1
    finally:
        await reader.stop()


async def test_lag_is_what_is_in_kafka_and_not_stored(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    async with open_resources(settings) as resources:
        for index in range(3):
            await accept(sender, f"c{index}")
        assert (await resources.lag.by_topic() or {})[RECEIVED.name] == 3, "it is right the first time it is asked"
    async with running_sink(settings) as sink:
        await eventually(lambda: _count(rows, "conversations", 3))
        assert await sink.resources.lag.by_topic() == dict.fromkeys(
            (RECEIVED.name, ANALYZED.name, STARTED.name, DEAD_LETTER.name), 0
        )


async def test_partitions_move_between_sinks_that_join_and_leave_and_nothing_is_lost_or_doubled(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool
) -> None:
    sent = 0

    async def keep_sending(stop: asyncio.Event) -> None:
        nonlocal sent
        while not stop.is_set():
            name = f"c{sent}"
            sent += 1
            await complete(sender, name, await accept(sender, name))

    enough = asyncio.Event()
    sending = asyncio.create_task(keep_sending(enough))
    async with running_sink(settings):
        for _ in range(3):
            async with running_sink(settings) as second:
                await eventually(lambda: second.consumer.check_assignment().ok and bool(sent))
                seen = sent
                await eventually(lambda before=seen: sent > before + 20)  # type: ignore[misc]
        enough.set()
        await sending
        await eventually(lambda: all_completed(rows, sent), what=f"{sent} completed")
    assert await rows.fetchval("SELECT count(*) FROM insights") == sent


async def _set_offsets(rows: asyncpg.Pool, change: str) -> None:
    await rows.execute(f"UPDATE consumer_offsets SET {change} WHERE topic LIKE '%received%'")


@pytest.mark.parametrize(
    ("change", "said"),
    [("next_offset = 1000", "stored offset 1000 is outside the log"), ("cluster_id = 'other'", "Kafka cluster other")],
)
async def test_a_partition_whose_offset_does_not_fit_stands_still_and_is_named(
    settings: SinkSettings, sender: Sender, rows: asyncpg.Pool, change: str, said: str
) -> None:
    async with running_sink(settings):
        await accept(sender, "c1")
        await eventually(lambda: _count(rows, "conversations", 1))
    await _set_offsets(rows, change)
    async with running_sink(settings, wait=False) as sink:
        await eventually(lambda: sink.consumer.check_assignment().detail and sink.consumer._partitions.stopped)
        check = sink.consumer.check_assignment()
        assert not check.ok
        assert said in str(check.detail)
        assert RECEIVED.name in str(check.detail)
        await complete(sender, "c1", Revision(2**42, 7))
        await eventually(lambda: _count(rows, "insights", 1), what="the other topics go on")
        connection = KafkaConnection.from_settings(settings)
        postgres = await asyncpg.connect(settings.database_url.get_secret_value())
        try:
            assert any(said in line for line in await show(connection, postgres))
            await reset(connection, postgres, RECEIVED.name, None, to="beginning")
            assert all(line.endswith("ok") for line in await show(connection, postgres))
        finally:
            await postgres.close()
        await eventually(sink.is_ready, what="it goes on where a person said")
        await accept(sender, "c2")
        await eventually(lambda: _count(rows, "conversations", 2))
