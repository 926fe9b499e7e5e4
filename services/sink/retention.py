"""Retention: conversations leave some days after they were posted last, with everything that is known of them.

Off unless SINK_RETENTION_DAYS is set. They leave in small transactions, between those of the consumer; of several sinks
one works at a time. The rollups give up what leaves, so trends and totals count what is kept, exactly. What Kafka still
holds is not stored again by itself: offsets only go back by a person's decision.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.runtime.logs import get_logger
from services.sink.metrics import RETENTION_REMOVED
from services.sink.passes import Busy, repeat
from services.sink.removal import remove_conversations
from services.sink.sql import retention as sql
from services.sink.sql import versions
from services.sink.stopping import pause
from services.sink.versions import read_versions

_log = get_logger(__name__)

_PASS_SECONDS = 600.0
"""Between two passes."""
_BREATH_SECONDS = 0.05
"""Between two transactions: the consumer's come first."""
_WALKED = 1_000
_LETTERS = 100
"""Dead letters of a transaction: each may be 6 MiB."""
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Retention:
    """Removes what is older than `days` from time to time."""

    def __init__(self, pool: asyncpg.Pool, days: int, stop: asyncio.Event) -> None:
        self._pool = pool
        self._age = timedelta(days=days)
        self._stop = stop

    async def run(self) -> None:
        """Work until told to stop."""
        await repeat(self._pass, "retention", _PASS_SECONDS, self._stop)

    async def _pass(self) -> None:
        if removed := await self.remove_before(datetime.now(UTC) - self._age):
            _log.info("retention_removed", rows=removed)

    async def remove_before(self, cutoff: datetime) -> int:
        """Remove what was posted last, or failed, before `cutoff`; gives how many conversations and dead letters.

        Raises Busy, Stopped, and what asyncpg raises (`failures` says what it means).
        """
        total = await self._walk(cutoff, sql.WALK, sql.STILL_DUE)
        async with self._pool.acquire() as connection:
            versions_known = (await read_versions(connection)).ids.values()
        for version_id in versions_known:
            for query in sql.OUTCOMES:
                await self._walk(cutoff, query, sql.STILL_ORPHANS, version_id)
        while removed := await self._remove_letters(cutoff):
            total += removed
            await pause(_BREATH_SECONDS, self._stop)
        return total

    async def _walk(self, cutoff: datetime, query: str, still_due: str, *values: int) -> int:
        """Walk an index from its beginning and remove what is due; gives how many conversations left."""
        total = 0
        moment, conversation_id = _BEGINNING, ""
        while walked := await self._pool.fetch(query, cutoff, moment, conversation_id, _WALKED, *values):
            moment, conversation_id = walked[-1]["moment"], walked[-1]["conversation_id"]
            if due := [row["conversation_id"] for row in walked if row["is_due"]]:
                total += await self._remove(cutoff, due, still_due)
            await pause(_BREATH_SECONDS, self._stop)
        return total

    async def _remove(self, cutoff: datetime, due: Sequence[str], still_due: str) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            if still_due is sql.STILL_ORPHANS:
                await connection.execute(versions.LOCK)  # alone: the conversation must not arrive at this moment
            await _only_one(connection)
            rows = await connection.fetch(still_due, cutoff, due)
            removed = await remove_conversations(connection, [row["conversation_id"] for row in rows])
        RETENTION_REMOVED.labels("conversations").inc(removed.conversations)
        RETENTION_REMOVED.labels("insights").inc(removed.insights)
        return removed.conversations

    async def _remove_letters(self, cutoff: datetime) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await _only_one(connection)
            removed = int(await connection.fetchval(sql.DEAD_LETTERS, cutoff, _LETTERS))
        RETENTION_REMOVED.labels("dead_letters").inc(removed)
        return removed


async def _only_one(connection: Any) -> None:
    await connection.execute(versions.LOCK_SHARED)
    if not await connection.fetchval(sql.LOCK):
        raise Busy
