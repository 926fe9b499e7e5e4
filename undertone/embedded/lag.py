"""How far the analyzer's group is behind on each lane, asked of Kafka itself: it stands also for a dead analyzer."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection

_ASK_SECONDS = 5.0
_RETRY_SECONDS = 0.2
LANES: Mapping[str, Topic] = {"live": RECEIVED, "replay": REPLAY}


async def analyzer_lag(connection: KafkaConnection) -> dict[str, int] | None:
    """Records of each topic that the analyzer has not acknowledged; None when Kafka does not say so in time."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return await _behind(connection, await committed_offsets(connection))
    except (KafkaError, OSError, TimeoutError):
        return None


async def committed_offsets(connection: KafkaConnection) -> Mapping[TopicPartition, int]:
    """What the analyzer's group has acknowledged. Raises KafkaError and OSError."""
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        while True:
            try:
                found = await admin.list_consumer_group_offsets(connection.group_name("analyzer"))
            except KafkaError as error:
                if not error.retriable:  # a Kafka that no group ever asked finds its coordinator first
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return {partition: place.offset for partition, place in found.items()}
    finally:
        await admin.close()


async def _behind(connection: KafkaConnection, committed: Mapping[TopicPartition, int]) -> dict[str, int]:
    consumer = AIOKafkaConsumer(**connection.client_options(), enable_auto_commit=False)
    try:
        await consumer.start()
        partitions = [
            TopicPartition(connection.topic_name(topic), number)
            for topic in LANES.values()
            for number in range(topic.partitions)
        ]
        ends = await consumer.end_offsets(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
    finally:
        await consumer.stop()
    return {
        topic.name: sum(
            max(0, ends[one] - max(committed.get(one, 0), beginnings[one]))
            for one in partitions
            if one.topic == connection.topic_name(topic)
        )
        for topic in LANES.values()
    }
