"""What Kafka has of a run, read back by offsets."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import RECEIVED
from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from undertone.absent import no_kafka, no_topic
from undertone.bench.ledger import count_ids
from undertone.errors import CommandError

_STALLED_SECONDS = 30.0

Offsets = Mapping[TopicPartition, int]


async def end_offsets(kafka: KafkaConnection) -> Offsets:
    """Where conversations.received.v1 ends now. Raises CommandError when Kafka or the topic is not there."""
    consumer = _consumer(kafka)
    try:
        partitions = await _partitions(kafka)
        await consumer.start()
        ends: Offsets = await consumer.end_offsets(partitions)
        return ends
    except (KafkaError, OSError) as error:
        raise no_kafka(kafka, error) from error
    finally:
        await consumer.stop()


async def _partitions(kafka: KafkaConnection) -> list[TopicPartition]:
    name = kafka.topic_name(RECEIVED)
    admin = AIOKafkaAdminClient(**kafka.client_options())
    try:
        await admin.start()
        (topic,) = await admin.describe_topics([name])
    finally:
        await admin.close()
    if topic["error_code"]:
        raise no_topic(kafka, RECEIVED)
    return [TopicPartition(name, partition["partition"]) for partition in topic["partitions"]]


async def stored_ids(kafka: KafkaConnection, begin: Offsets, end: Offsets) -> Counter[str]:
    """How often each id is the key of a record between two places. Raises CommandError when reading stalls."""
    unread = {partition for partition, offset in end.items() if offset > begin[partition]}
    consumer = _consumer(kafka)
    found: Counter[str] = Counter()
    await consumer.start()
    try:
        consumer.assign(sorted(unread))
        for partition in unread:
            consumer.seek(partition, begin[partition])
        while unread:
            found += await _read_some(consumer, unread, end)
            for partition in [one for one in unread if await consumer.position(one) >= end[one]]:
                unread.discard(partition)
                consumer.pause(partition)
    finally:
        await consumer.stop()
    return found


async def _read_some(consumer: AIOKafkaConsumer, unread: set[TopicPartition], end: Offsets) -> Counter[str]:
    deadline = asyncio.get_running_loop().time() + _STALLED_SECONDS
    while not (batches := await consumer.getmany(*unread, timeout_ms=1000)):
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(
                f"Kafka gave no record of {counted(len(unread), 'partition')} for {_STALLED_SECONDS:.0f} s."
            )
    return count_ids(
        record.key for partition, batch in batches.items() for record in batch if record.offset < end[partition]
    )


def _consumer(kafka: KafkaConnection) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, check_crcs=False)
