"""Another client of Kafka, as a data engineer's program would be: plain aiokafka, our topics' names."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import Topic
from tests.end_to_end.deployment import Deployment

Headers = Sequence[tuple[str, bytes]]


async def produce(
    deployment: Deployment, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = (), **options: Any
) -> tuple[int, int]:
    """Write a record as it is; returns its partition and offset."""
    async with AIOKafkaProducer(
        bootstrap_servers=deployment.bootstrap_servers, max_request_size=16 * 1024 * 1024, **options
    ) as producer:
        placed = await producer.send_and_wait(deployment.topic_prefix + topic.name, value, key, headers=list(headers))
    return placed.partition, placed.offset


async def produce_conversation(deployment: Deployment, topic: Topic, conversation: Any, headers: Headers = ()) -> None:
    """What a foreign producer writes: the key and `{conversation_id, turns}`."""
    await produce(
        deployment, topic, conversation["conversation_id"].encode(), json.dumps(conversation).encode(), headers
    )


async def read_all(deployment: Deployment, topic: Topic) -> list[Any]:
    """Every record that the topic holds now."""
    name = deployment.topic_prefix + topic.name
    # "latest" would race with seek_to_beginning, and sometimes win.
    async with AIOKafkaConsumer(
        bootstrap_servers=deployment.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        records: list[Any] = []
        async with asyncio.timeout(60):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    records.extend(batch)
    return records
