"""Whether somebody analyses: the analyzer's group has a member, or an outcome was stored a moment ago."""

import asyncio
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import ANALYZED
from services.runtime.kafka import KafkaConnection
from services.sink.database import Database
from services.sink.sql import offsets as sql

_KEPT_SECONDS = 5.0
_ASK_SECONDS = 1.0
_RECENT_SECONDS = 60.0
_MEMBERS = 5
"""Where the members stand in a group of DescribeGroupsResponse."""


class WorkerWatch:
    """Answers from what it asked a moment ago: health checks ask often, and each question is a connection to Kafka."""

    def __init__(self, connection: KafkaConnection, database: Database) -> None:
        self._connection = connection
        self._database = database
        self._lock = asyncio.Lock()
        self._kept = False
        self._kept_at = float("-inf")

    async def is_running(self) -> bool:
        """Whether an analyzer works, as far as Kafka and Postgres can tell."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if now() - self._kept_at > _KEPT_SECONDS:
                self._kept = await self._has_members() or await self._has_recent_outcome()
                self._kept_at = now()
            return self._kept

    async def _has_recent_outcome(self) -> bool:
        if not await self._database.is_up():
            return False
        group, topic = self._connection.group_name("sink"), self._connection.topic_name(ANALYZED)
        async with self._database.snapshot() as connection:
            return bool(await connection.fetchval(sql.STORED_WITHIN, group, topic, _RECENT_SECONDS))

    async def _has_members(self) -> bool:
        timeout_ms = int(_ASK_SECONDS * 1000)
        admin = AIOKafkaAdminClient(**self._connection.client_options(), request_timeout_ms=timeout_ms)
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await admin.start()
                answers = await admin.describe_consumer_groups([self._connection.group_name("analyzer")])
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            with suppress(KafkaError):
                await admin.close()
        return any(group[_MEMBERS] for answer in answers for group in answer.groups)
