"""How far the analyzer's group is behind on each lane, asked of Kafka itself: it stands also for a dead analyzer.

Offsets alone do not tell: behind the last record of a replay stands the marker of its transaction, which nobody reads
and nobody acknowledges. So where something is ahead, Kafka is asked for the first record of it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection
from services.runtime.topic_logs import open_reader

_ASK_SECONDS = 5.0
_RETRY_SECONDS = 0.2
_POLL_MILLISECONDS = 100
LANES: Mapping[str, Topic] = {"live": RECEIVED, "replay": REPLAY}


async def analyzer_lag(connection: KafkaConnection) -> dict[str, int] | None:
    """Records of each topic that the analyzer has not acknowledged; None when Kafka does not say so in time.

    Markers between records count as such; where there are only markers, and what was aborted, it is 0. What is in an
    open transaction is not counted yet.
    """
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
    names = {connection.topic_name(topic): topic for topic in LANES.values()}
    places = [TopicPartition(name, number) for name, topic in names.items() for number in range(topic.partitions)]
    behind = {topic.name: 0 for topic in names.values()}
    async with open_reader(connection) as reader:
        ends = await reader.end_offsets(places)
        beginnings = await reader.beginning_offsets(places)
        begins = {one: max(committed.get(one, 0), beginnings[one]) for one in places}
        ahead = {one: begin for one, begin in begins.items() if begin < ends[one]}
        for one, first in (await _first_records(reader, ahead, ends)).items():
            behind[names[one.topic].name] += max(0, ends[one] - first)
    return behind


async def _first_records(
    reader: Any, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The offset of the first record from each beginning on; without the partitions that have none before their end."""
    if not begins:
        return {}
    reader.assign(list(begins))
    for place, begin in begins.items():
        reader.seek(place, begin)
    found: dict[TopicPartition, int] = {}
    left = set(begins)
    while left:
        for place, records in (await reader.getmany(*left, timeout_ms=_POLL_MILLISECONDS, max_records=1)).items():
            found[place] = records[0].offset
        left = {place for place in left - found.keys() if await reader.position(place) < ends[place]}
    return found
