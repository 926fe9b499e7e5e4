"""Looking into Kafka's logs: where they end, and which letters somebody has sent already who was stopped."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.topic_logs import open_reader, partitions_of
from services.sink.redriving.copies import REDRIVABLE, letter_of

LogEnds = Mapping[str, Mapping[str, int]]
"""The next offset to be written, by the contract's topic name and the partition (as text, for JSON)."""

_ASK_SECONDS = 15.0
_SILENCE_SECONDS = 30.0
"""Without a record or an end: Kafka went away while its log was read."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the copy of a letter stands."""

    partition: int
    offset: int


async def read_log_ends(connection: KafkaConnection) -> dict[str, dict[str, int]]:
    """The ends of every topic that copies go to; a topic that does not exist is left out. Raises KafkaUnavailable."""
    topics = {connection.topic_name(topic): topic.name for topic in REDRIVABLE.values()}
    async with _asking(), asyncio.timeout(_ASK_SECONDS):
        partitions = await partitions_of(connection, list(topics))
        async with open_reader(connection, committed=False) as reader:
            ends = await reader.end_offsets(partitions)
    found: dict[str, dict[str, int]] = {}
    for place, end in ends.items():
        found.setdefault(topics[place.topic], {})[str(place.partition)] = end
    return found


async def find_sent(connection: KafkaConnection, wanted: Mapping[UUID, Topic], log_ends: LogEnds) -> dict[UUID, Found]:
    """Which of these letters stand in their topics, behind the ends that were noted. Raises KafkaUnavailable."""
    starts = {
        TopicPartition(connection.topic_name(topic), int(partition)): offset
        for topic in set(wanted.values())
        for partition, offset in log_ends.get(topic.name, {}).items()
    }
    if not starts:
        return {}
    async with _asking(), open_reader(connection, committed=False) as reader:
        return await _search(reader, set(wanted), starts)


async def _search(reader: Any, wanted: Collection[UUID], starts: Mapping[Any, int]) -> dict[UUID, Found]:
    reader.assign(list(starts))
    beginnings = await reader.beginning_offsets(list(starts))
    ends = await reader.end_offsets(list(starts))
    for place, start in starts.items():
        reader.seek(place, max(start, beginnings[place]))
    found: dict[UUID, Found] = {}
    unread = {place for place, start in starts.items() if max(start, beginnings[place]) < ends[place]}
    while unread and len(found) < len(wanted):
        async with asyncio.timeout(_SILENCE_SECONDS):
            batches = await reader.getmany(*unread, timeout_ms=500)
            positions = {place: await reader.position(place) for place in unread}
        for place, records in batches.items():
            for record in records:
                letter = letter_of(record.headers)
                if letter is not None and letter in wanted:
                    found.setdefault(letter, Found(place.partition, record.offset))
        unread = {place for place in unread if positions[place] < ends[place]}
    return found


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(f"Kafka does not answer ({type(error).__name__})") from error
