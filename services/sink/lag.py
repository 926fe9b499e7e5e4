"""How far the stored rows are behind Kafka.

The answer is kept for a moment: health checks, the status page and scrapers ask often.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection
from services.runtime.logs import get_logger
from services.runtime.topic_logs import partitions_of
from services.sink.decoding import SINK_TOPICS
from services.sink.failures import is_unavailable
from services.sink.metrics import LAG
from services.sink.sql import offsets as sql

_log = get_logger(__name__)

_KEPT_SECONDS = 1.0
_ASK_SECONDS = 1.5


class LagReader:
    """Asks Kafka for the ends of the logs and Postgres for the stored offsets."""

    def __init__(self, connection: KafkaConnection, pool: asyncpg.Pool) -> None:
        self._connection = connection
        self._pool = pool
        self._client: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._lock = asyncio.Lock()
        self._kept: dict[str, int] | None = None
        self._kept_at = float("-inf")
        self.group = connection.group_name("sink")

    def name_of(self, topic: Topic) -> str:
        """The topic's name in this Kafka."""
        return self._connection.topic_name(topic)

    async def by_topic(self) -> dict[str, int] | None:
        """Records in Kafka that are not stored yet; none while Kafka or Postgres does not answer."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if now() - self._kept_at > _KEPT_SECONDS:
                self._kept = await self._ask()
                self._kept_at = now()
            return self._kept

    async def _ask(self) -> dict[str, int] | None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                stored = await self._stored_offsets()
                return self._lag(stored, *await self._log_ranges())
        except (KafkaError, TimeoutError):
            return None
        except Exception as error:
            if not is_unavailable(error):
                raise
            return None

    async def _stored_offsets(self) -> dict[TopicPartition, int]:
        rows = await self._pool.fetch(sql.STORED_OFFSETS, self.group)
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def _log_ranges(self) -> tuple[Mapping[Any, int], Mapping[Any, int]]:
        client = await self._connected()
        if len({partition.topic for partition in self._partitions}) < len(SINK_TOPICS):
            self._partitions = await partitions_of(self._connection, [self.name_of(topic) for topic in SINK_TOPICS])
        return await client.beginning_offsets(self._partitions), await client.end_offsets(self._partitions)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = AIOKafkaConsumer(**self._connection.client_options(), enable_auto_commit=False)
            try:
                await client.start()
            except BaseException:
                with suppress(KafkaError):
                    await client.stop()
                raise
            self._client = client
        return self._client

    def _lag(self, stored: Mapping[Any, int], beginnings: Mapping[Any, int], ends: Mapping[Any, int]) -> dict[str, int]:
        """By topic; one that does not exist yet is left out."""
        lag: dict[str, int] = {}
        for topic in SINK_TOPICS:
            of_topic = [partition for partition in ends if partition.topic == self.name_of(topic)]
            if not of_topic:
                continue
            lag[topic.name] = sum(max(0, ends[one] - max(stored.get(one, 0), beginnings[one])) for one in of_topic)
            LAG.labels(topic.name).set(lag[topic.name])
        return lag

    async def close(self) -> None:
        """Leave Kafka."""
        if self._client is not None:
            with suppress(KafkaError):
                await self._client.stop()


@asynccontextmanager
async def open_lag_reader(connection: KafkaConnection, pool: asyncpg.Pool) -> AsyncIterator[LagReader]:
    """Connects when it is first asked, so that it opens without Kafka."""
    reader = LagReader(connection, pool)
    try:
        yield reader
    finally:
        await reader.close()
