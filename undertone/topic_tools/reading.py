"""Records of a topic as they are, without a group: nobody's position moves by it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import RawRecord
from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.topic_logs import open_reader, partitions_of
from undertone.absent import no_kafka, no_topic
from undertone.errors import UsageProblem
from undertone.topic_tools.starting import FromMoment, LogRange, Start, starts_of

_POLL_MILLISECONDS = 200
_MOST_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read."""

    topic: Topic
    start: Start
    partition: int | None
    follows: bool
    """Whether to wait for what comes, else the end is what the log holds now."""


async def read(connection: KafkaConnection, reading: Reading) -> AsyncGenerator[list[RawRecord], None]:
    """Records as they come, each list in the order in which Kafka received them. Raises CommandError."""
    try:
        partitions = await _partitions(connection, reading)
        async with open_reader(connection) as consumer:
            consumer.assign(partitions)
            logs = await _logs(consumer, partitions)
            starts = await _starts(consumer, partitions, reading.start, logs)
            for place in partitions:
                consumer.seek(place, starts[place.partition])
            async with aclosing(_follow(consumer, partitions, starts, logs, reading)) as batches:
                async for batch in batches:
                    yield batch
    except (KafkaError, OSError) as error:
        raise no_kafka(connection, error) from error


async def _partitions(connection: KafkaConnection, reading: Reading) -> list[Any]:
    name = connection.topic_name(reading.topic)
    found = sorted(await partitions_of(connection, [name]))
    if not found:
        raise no_topic(connection, reading.topic)
    if reading.partition is None:
        return found
    wanted = TopicPartition(name, reading.partition)
    if wanted not in found:
        raise UsageProblem(f"{name} has the partitions 0 to {len(found) - 1}, and no {reading.partition}.")
    return [wanted]


async def _logs(consumer: Any, partitions: list[Any]) -> dict[int, LogRange]:
    beginnings = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    return {place.partition: LogRange(beginnings[place], ends[place]) for place in partitions}


async def _starts(consumer: Any, partitions: list[Any], start: Start, logs: dict[int, LogRange]) -> dict[int, int]:
    at_moment: dict[int, int | None] = {}
    if isinstance(start, FromMoment):
        milliseconds = int(start.moment.timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, milliseconds)))
        at_moment = {place.partition: one.offset if one is not None else None for place, one in found.items()}
    return starts_of(start, logs, at_moment)


async def _follow(
    consumer: Any, partitions: list[Any], starts: dict[int, int], logs: dict[int, LogRange], reading: Reading
) -> AsyncGenerator[list[RawRecord], None]:
    unread = {place for place in partitions if starts[place.partition] < logs[place.partition].end}
    while unread or reading.follows:
        batches = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_MOST_RECORDS)
        records = [
            raw_record(message, reading.topic)
            for place, messages in batches.items()
            for message in messages
            if reading.follows or message.offset < logs[place.partition].end
        ]
        if records:
            yield sorted(records, key=lambda record: (record.timestamp_ms, record.partition, record.offset))
        if not reading.follows:
            unread = {place for place in unread if await consumer.position(place) < logs[place.partition].end}
