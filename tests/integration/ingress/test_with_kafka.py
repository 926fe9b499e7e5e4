"""A 202 is in Kafka, and without Kafka there is none: the ingress on a real broker."""

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.codec import decode
from schemas.conversation_received import ConversationReceived
from schemas.topics import RECEIVED
from services.runtime.kafka import KafkaConnection, raw_record
from tests.http_client import http_client
from tests.infrastructure import Infrastructure, OwnStack
from tests.integration.ingress.serving import on_a_real_kafka, serving
from tests.waiting import eventually

ONE = "/api/v1/conversations"
MANY = "/api/v1/conversations/bulk"


async def records_in(connection: KafkaConnection) -> list[ConsumerRecord]:
    """Everything that conversations.received.v1 holds now."""
    topic = connection.topic_name(RECEIVED)
    async with AIOKafkaConsumer(**connection.client_options()) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(RECEIVED.partitions)]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        records: list[ConsumerRecord] = []
        while len(records) < sum(ends.values()):
            batches = await consumer.getmany(timeout_ms=500)
            records += [record for batch in batches.values() for record in batch]
        return records


def event_of(record: ConsumerRecord) -> ConversationReceived:
    event = decode(raw_record(record, RECEIVED), RECEIVED).event
    assert isinstance(event, ConversationReceived)
    return event


def on(infrastructure: Infrastructure, prefix: str) -> tuple[KafkaConnection, dict[str, Any]]:
    settings = {
        "kafka_bootstrap_servers": infrastructure.bootstrap_servers,
        "kafka_topic_prefix": prefix,
        "ack_timeout_seconds": 50,  # however slow the machine is
    }
    return KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=prefix), settings


async def test_an_accepted_conversation_is_in_the_topic_as_it_was_said(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    connection, settings = on(infrastructure, kafka_topics)
    posted = {"messages": [{"role": "user", "content": "Größe falsch 😡"}, {"role": "bot", "content": "Sorry"}]}
    async with (
        serving(resources=on_a_real_kafka, **settings) as served,
        http_client(base_url=served.url, timeout=60) as client,
    ):
        answer = await client.post(ONE, json=posted, headers={"X-Correlation-Id": "c-7"})
        assert answer.status_code == 202
        (record,) = await records_in(connection)
    event = event_of(record)
    assert record.key.decode() == event.conversation_id == answer.json()["conversation_id"]
    assert [(turn.role.value, turn.text) for turn in event.turns] == [
        ("customer", "Größe falsch 😡"),
        ("agent", "Sorry"),
    ]
    assert dict(record.headers)["undertone_correlation_id"] == b"c-7"
    assert "Größe falsch 😡".encode() in record.value


async def test_every_accepted_one_of_many_is_there_once_and_no_refused_one(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    connection, settings = on(infrastructure, kafka_topics)
    lines = [json.dumps({"external_id": f"c{number}", "text": f"text {number}"}) for number in range(498)]
    lines += ["nonsense", '{"text":""}']
    async with (
        serving(resources=on_a_real_kafka, **settings) as served,
        http_client(base_url=served.url, timeout=60) as client,
    ):
        answer = await client.post(MANY, content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"})
        held = Counter(record.key.decode() for record in await records_in(connection))
    assert (answer.status_code, answer.json()["enqueued"], answer.json()["rejected"]) == (202, 498, 2)
    assert held == Counter({f"c{number}": 1 for number in range(498)})


async def test_the_largest_body_is_accepted_and_one_byte_more_is_413(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    connection, settings = on(infrastructure, kafka_topics)
    full = b'{"turns":[' + b",".join([b'{"text":"' + b"x" * 2000 + b'"}'] * 500) + b"]}"
    largest = full + b" " * (1024 * 1024 - len(full))
    async with (
        serving(resources=on_a_real_kafka, **settings) as served,
        http_client(base_url=served.url, timeout=60) as client,
    ):
        headers = {"Content-Type": "application/json"}
        assert (await client.post(ONE, content=largest, headers=headers)).status_code == 202
        assert (await client.post(ONE, content=largest + b" ", headers=headers)).status_code == 413
        (record,) = await records_in(connection)
    assert len(event_of(record).turns) == 500


async def test_without_kafka_there_is_no_202_and_nothing_is_lost(
    own_stack: OwnStack,
) -> None:
    connection = KafkaConnection(own_stack.bootstrap_servers)
    settings: dict[str, Any] = {"kafka_bootstrap_servers": own_stack.bootstrap_servers, "ack_timeout_seconds": 5}
    await own_stack.stop_kafka()
    async with serving(resources=on_a_real_kafka, **settings) as served:
        async with http_client(base_url=served.url, timeout=30) as client:
            await _is_refused_ten_times(client, "early")
            assert (await client.get("/readyz")).status_code == 503
            await own_stack.start_kafka()
            await eventually(lambda: _is_ready(client), within_seconds=60, what="the ingress finds Kafka")
            assert await _post(client, "before") == 202
            await own_stack.stop_kafka()
            await _is_refused_ten_times(client, "during")
            await own_stack.start_kafka()
            await eventually(lambda: _is_accepted(client, "after"), within_seconds=90, what="posts are accepted again")
        held = Counter(record.key.decode() for record in await records_in(connection))
    assert held["before"] == 1
    assert held["after"] >= 1
    assert all(count == 1 for key, count in held.items() if key != "after")


async def _post(client: httpx.AsyncClient, identifier: str) -> int:
    return (await client.post(ONE, json={"external_id": identifier, "text": "a"})).status_code


async def _is_refused_ten_times(client: httpx.AsyncClient, name: str) -> None:
    statuses = await asyncio.gather(*(_post(client, f"{name}{number}") for number in range(10)))
    assert set(statuses) == {503}


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def _is_accepted(client: httpx.AsyncClient, identifier: str) -> bool:
    return await _post(client, identifier) == 202
