"""The audit on a real Kafka and Postgres: clean when all is well, and each kind of trouble is named."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import encode
from schemas.dead_letter import REDRIVEN_FROM, DeadLetterReason, Origin, bury
from schemas.event import Revision
from schemas.insight_produced import InsightProduced
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, REPLAY
from services.runtime.kafka import KafkaConnection
from services.runtime.partitioner import partition_of
from services.sink.audit.flow import FlowAudit
from services.sink.audit.logs import open_logs
from services.sink.audit.tally import Tally
from tests.builders import a_conversation, an_envelope
from tests.infrastructure import Infrastructure
from tests.integration.sink.harness import NOW, insight
from tests.integration.sink.running import Sender, producer_to, running_sink, sink_settings
from tests.waiting import eventually

WORDS = "my parcel is late"


@dataclass
class World:
    """A sink that runs, what is sent to it, and an analyzer that acknowledges when it is told."""

    connection: KafkaConnection
    sender: Sender
    database_url: str

    async def post(self, conversation_id: str) -> Revision:
        event = a_conversation(conversation_id, WORDS, received_at=NOW)
        timestamp_ms, offset = await self.sender.send(RECEIVED, conversation_id, event)
        return Revision(timestamp_ms, offset)

    async def finish(self, conversation_id: str, revision: Revision) -> InsightProduced:
        event = insight(conversation_id, WORDS, 0).model_copy(update={"revision": revision})
        await self.sender.send(ANALYZED, conversation_id, event)
        return event

    async def complete(self, count: int) -> None:
        for number in range(count):
            await self.finish(f"c{number}", await self.post(f"c{number}"))

    async def acknowledge_all(self) -> None:
        """As the analyzers' group."""
        options = {**self.connection.client_options(), "group_id": self.connection.group_name("analyzer")}
        async with AIOKafkaConsumer(**options, enable_auto_commit=False) as consumer:
            name = self.connection.topic_name(RECEIVED)
            places = [TopicPartition(name, number) for number in range(RECEIVED.partitions)]
            consumer.assign(places)
            await consumer.commit(await consumer.end_offsets(places))

    async def audit(self) -> Tally:
        database = await asyncpg.connect(self.database_url)
        try:
            async with open_logs(self.connection) as logs:
                return await FlowAudit(logs, database, self.connection, None).run()
        finally:
            await database.close()

    async def stored(self, conversations: int) -> None:
        async def are_stored() -> bool:
            return bool(await self.count("conversations") == conversations)

        await eventually(are_stored, what=f"{conversations} conversations are stored")

    async def count(self, table: str) -> Any:
        return await self.execute(f"SELECT count(*) FROM {table}")

    async def execute(self, query: str, *values: Any) -> Any:
        database = await asyncpg.connect(self.database_url)
        try:
            return await database.fetchval(query, *values)
        finally:
            await database.close()


@pytest.fixture
async def world(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> AsyncIterator[World]:
    settings = sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)
    connection = KafkaConnection.from_settings(settings)
    async with running_sink(settings), producer_to(infrastructure.bootstrap_servers) as producer:
        yield World(connection, Sender(producer, connection), database_url)


def totals(hours: dict[datetime, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in hours.values():
        for name, count in counts.items():
            found[name] = found.get(name, 0) + count
    return found


async def test_all_is_accounted_for_and_both_equations_add_up(world: World) -> None:
    await world.complete(20)
    await world.post("c0")  # the same words again
    waiting = await world.post("waits")
    assert waiting
    tally = await world.audit()
    assert tally.is_clean, list(tally.lines())
    assert totals(tally.records[RECEIVED.name]) == {"stored": 21, "superseded": 1}
    assert totals(tally.records[ANALYZED.name]) == {"stored": 20}
    assert totals(tally.conversations) == {"completed": 20, "queued": 1}
    assert list(tally.lines())[-1] == "All is accounted for."


async def test_a_conversation_or_an_insight_without_its_row_is_named(world: World) -> None:
    await world.complete(5)
    await world.stored(5)
    assert (await world.audit()).is_clean
    await world.execute("DELETE FROM conversations WHERE conversation_id = 'c1'")
    await world.execute("DELETE FROM insights WHERE conversation_id = 'c2'")
    await world.execute("DELETE FROM current_outcomes WHERE conversation_id = 'c3'")
    tally = await world.audit()
    assert {problem: len(names) for problem, names in tally.named.items()} == {
        f"missing, of {RECEIVED.name}": 1,
        f"missing, of {ANALYZED.name}": 2,
    }
    assert tally.named[f"missing, of {RECEIVED.name}"][0].startswith("c1: partition ")
    assert {name.partition(":")[0] for name in tally.named[f"missing, of {ANALYZED.name}"]} == {"c2", "c3"}


async def test_what_is_acknowledged_without_an_outcome_is_stuck_unless_it_waits_on_the_replay_lane(
    world: World,
) -> None:
    await world.complete(3)
    revision = await world.post("stuck")
    assert (await world.audit()).is_clean, "the analyzer has not acknowledged it"
    await world.acknowledge_all()
    tally = await world.audit()
    (named,) = tally.named["stuck"]
    assert named.startswith("stuck: queued")
    await world.sender.send(REPLAY, "stuck", a_conversation("stuck", WORDS, received_at=NOW))
    assert (await world.audit()).is_clean
    await world.finish("stuck", revision)
    assert totals((await world.audit()).conversations) == {"completed": 4}


async def test_a_record_that_nobody_can_read_is_accounted_for_by_its_dead_letter(world: World) -> None:
    await world.complete(2)
    timestamp_ms, offset = await world.sender.send_raw(RECEIVED, b"c1", b"\xff poison")
    assert (await world.audit()).is_clean, "the analyzer has not come to it"
    await world.acknowledge_all()
    tally = await world.audit()
    assert [name.partition(":")[0] for name in tally.named[f"missing, of {RECEIVED.name}"]] == ["c1"]
    value, headers = bury(
        b"\xff poison",
        [],
        origin=Origin(RECEIVED.name, partition_of(b"c1", RECEIVED.partitions), offset, timestamp_ms),
        reason=DeadLetterReason.UNDECODABLE,
        detail="",
        failed_at=NOW,
        service="analyzer",
    )
    await world.sender.send_raw(DEAD_LETTER, b"c1", value, headers)
    tally = await world.audit()
    assert tally.is_clean, list(tally.lines())
    assert totals(tally.records[RECEIVED.name]) == {"stored": 2, "buried": 1}


async def test_an_erased_conversation_is_not_missing(world: World) -> None:
    await world.complete(3)
    await world.stored(3)
    revision = await world.post("gone")
    await world.finish("gone", revision)
    await world.stored(4)
    await world.execute(
        "INSERT INTO erasures (conversation_id, revision_ms, revision_offset) VALUES ('gone', $1, $2)", *revision
    )
    for table in ("insights", "current_outcomes", "conversations"):
        await world.execute(f"DELETE FROM {table} WHERE conversation_id = 'gone'")
    tally = await world.audit()
    assert tally.is_clean, list(tally.lines())
    assert totals(tally.records[RECEIVED.name]) == {"stored": 3, "erased": 1}


async def test_a_copy_that_stands_twice_is_doubled(world: World) -> None:
    await world.complete(1)
    revision = await world.post("c9")
    value, headers = encode(a_conversation("c9", WORDS, received_at=NOW), an_envelope())
    copied = [*headers, ("undertone_revision", str(revision).encode()), (REDRIVEN_FROM, str(uuid4()).encode())]
    await world.sender.send_raw(RECEIVED, b"c9", value, copied)
    tally = await world.audit()
    assert tally.is_clean
    assert totals(tally.records[RECEIVED.name]) == {"stored": 2, "copied": 1}
    await world.sender.send_raw(RECEIVED, b"c9", value, copied)
    assert (await world.audit()).problems == {"doubled: copies of one dead letter": 1}
