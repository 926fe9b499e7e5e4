"""The publisher against a real Kafka: durable or an error, and a place kept while Kafka is away."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.codec import decode
from schemas.dead_letter import DeadLetterReason, exhume
from schemas.topics import DEAD_LETTER, MAX_RECORD_BYTES, RECEIVED, Topic
from services.runtime.dead_letters import DeadLetters
from services.runtime.kafka import KafkaConnection, KafkaUnavailable, raw_record, wait_for_kafka
from services.runtime.logs import get_logger
from services.runtime.publisher import RecordRefused, open_publisher
from tests.builders import a_conversation, a_record, an_envelope
from tests.infrastructure import Infrastructure
from undertone.embedded.ports import free_port

log = get_logger(__name__)


@pytest.fixture
def connection(infrastructure: Infrastructure, kafka_topics: str) -> KafkaConnection:
    return KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=kafka_topics)


async def read(connection: KafkaConnection, topic: Topic, count: int) -> list[object]:
    consumer = AIOKafkaConsumer(
        connection.topic_name(topic), auto_offset_reset="earliest", **connection.client_options()
    )
    async with consumer:
        return [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]


async def test_a_published_event_is_in_the_topic_where_the_broker_says(connection: KafkaConnection) -> None:
    conversation = a_conversation("conv_42")
    async with open_publisher(connection) as publisher:
        published = await publisher.publish(RECEIVED, "conv_42", conversation, an_envelope())
    (message,) = await read(connection, RECEIVED, 1)
    record = raw_record(message, RECEIVED)
    assert (record.partition, record.offset, record.timestamp_ms) == (
        published.partition,
        published.offset,
        published.timestamp_ms,
    )
    assert decode(record, RECEIVED).event == conversation


async def test_a_record_above_the_topics_limit_is_refused_at_once(connection: KafkaConnection) -> None:
    async with open_publisher(connection) as publisher:
        with pytest.raises(RecordRefused, match=r"conversations\.received\.v1"):
            await publisher.publish_record(RECEIVED, b"k", b"x" * MAX_RECORD_BYTES, [])
        assert publisher.waiting == 0


async def test_the_largest_record_and_the_largest_dead_letter_pass(connection: KafkaConnection) -> None:
    async with open_publisher(connection) as publisher:
        await publisher.publish_record(RECEIVED, b"k", b"x" * (MAX_RECORD_BYTES - 1000), [])
        await publisher.publish_record(DEAD_LETTER, b"k", b"x" * (6 * 1024 * 1024), [])


async def test_a_dead_letter_has_the_original_bytes_and_the_reason(connection: KafkaConnection) -> None:
    record = a_record(a_conversation(), offset=7)
    async with open_publisher(connection) as publisher:
        await DeadLetters(publisher, "analyzer").bury(record, DeadLetterReason.KEY_MISMATCH, "wrong key")
    (message,) = await read(connection, DEAD_LETTER, 1)
    buried = raw_record(message, DEAD_LETTER)
    letter = exhume(buried.headers)
    assert (buried.key, buried.value) == (record.key, record.value)
    assert (letter.reason, letter.detail, letter.origin.offset) == (DeadLetterReason.KEY_MISMATCH, "wrong key", 7)


async def test_without_kafka_a_send_waits_and_the_wait_can_end() -> None:
    nowhere = KafkaConnection(f"127.0.0.1:{free_port()}")
    async with open_publisher(nowhere) as publisher:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(publisher.publish(RECEIVED, "c", a_conversation("c"), an_envelope()), 0.2)
        assert (publisher.is_connected, publisher.waiting) == (False, 0)
    with pytest.raises(KafkaUnavailable, match="does not answer"):
        await wait_for_kafka(nowhere, log, deadline_seconds=0)
