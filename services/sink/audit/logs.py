"""The logs that the audit reads, and how far the others have read them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.codec import RawRecord
from schemas.topics import RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.topic_logs import open_reader, partitions_of

_POLL_MILLISECONDS = 500
_PIECE = 2_000
"""Records that are compared with rows at once."""

Offsets = Mapping[int, int]
"""By partition."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the first offset up to, without, the end."""

    beginning: int
    end: int


class Logs:
    """Reads logs without a group; get one from `open_logs`. Raises KafkaError while Kafka is away."""

    def __init__(self, connection: KafkaConnection, consumer: Any) -> None:
        self._connection = connection
        self._consumer = consumer

    async def ranges(self, topic: Topic) -> dict[int, Range]:
        """What a topic's partitions hold now; nothing when the topic does not exist."""
        places = await partitions_of(self._connection, [self._connection.topic_name(topic)])
        if not places:
            return {}
        beginnings = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        return {place.partition: Range(beginnings[place], ends[place]) for place in places}

    async def acknowledged(self) -> Mapping[str, Offsets]:
        """How far the analyzers have acknowledged each of their topics; a partition that is left out: not at all."""
        admin = AIOKafkaAdminClient(**self._connection.client_options())
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(self._connection.group_name("analyzer"))
        finally:
            await admin.close()
        names = {self._connection.topic_name(topic): topic.name for topic in (RECEIVED, REPLAY)}
        offsets: dict[str, dict[int, int]] = {name: {} for name in names.values()}
        for place, one in found.items():
            if place.topic in names and one.offset >= 0:
                offsets[names[place.topic]][place.partition] = one.offset
        return offsets

    async def read(self, topic: Topic, ranges: Mapping[int, Range]) -> AsyncIterator[list[RawRecord]]:
        """The records of these ranges, in pieces."""
        name = self._connection.topic_name(topic)
        unread = {TopicPartition(name, partition): one for partition, one in ranges.items() if one.beginning < one.end}
        self._consumer.assign(list(unread))
        for place, one in unread.items():
            self._consumer.seek(place, one.beginning)
        while unread:
            batches = await self._consumer.getmany(*unread, timeout_ms=_POLL_MILLISECONDS, max_records=_PIECE)
            records = [
                raw_record(message, topic)
                for place, messages in batches.items()
                for message in messages
                if message.offset < unread[place].end
            ]
            if records:
                yield records
            unread = {place: one for place, one in unread.items() if await self._consumer.position(place) < one.end}


@asynccontextmanager
async def open_logs(connection: KafkaConnection) -> AsyncIterator[Logs]:
    """Connects; leaves Kafka at the end."""
    async with open_reader(connection) as consumer:
        yield Logs(connection, consumer)
