"""What is done in the background: retired versions are emptied, counts of coverage folded, catching up noted.

In small transactions, between those of the consumer; of several sinks one works at a time. A kill loses nothing: the
next one goes on with what is left.
"""

import asyncio
from typing import Any

import asyncpg

from services.runtime.logs import get_logger
from services.sink.passes import repeat
from services.sink.sql import coverage as coverage_sql
from services.sink.sql import decisions as decisions_sql
from services.sink.sql import removals, versions
from services.sink.sql import retirement as sql
from services.sink.stopping import pause
from services.sink.versioning.coverage import IN_FLIGHT_SECONDS, count_missing
from services.sink.versions import read_versions

_log = get_logger(__name__)

_PASS_SECONDS = 3.0
_BREATH_SECONDS = 0.05
"""Between two transactions: the consumer's come first."""
_CONVERSATIONS = 500
_CELLS = 5_000


class Upkeep:
    """Keeps one database."""

    def __init__(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        self._pool = pool
        self._stop = stop
        self._is_looked_at = False

    async def run(self) -> None:
        """Work until told to stop."""
        await repeat(self._pass, "upkeep of versions", _PASS_SECONDS, self._stop)

    async def _pass(self) -> None:
        await self.fold()
        if not self._is_looked_at:
            await self.note_behind()
            self._is_looked_at = True
        await self.note_caught_up()
        await self.empty_retired()

    async def fold(self) -> None:
        """Fold the changes of coverage into their sums, unless another sink does."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(coverage_sql.LOCK_FOLD):
                await connection.execute(coverage_sql.FOLD)

    async def note_behind(self) -> None:
        """Say of the active version that it is catching up when it lacks something that an earlier one finished.

        Releases before this one let an earlier version finish what came after it was replaced, too, and said nothing.
        """
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            known = await read_versions(connection)
            if known.active is None or known.is_catching_up:
                return
            if await count_missing(connection, known.ids[known.active]):
                await connection.execute(decisions_sql.BEHIND, known.active)

    async def note_caught_up(self) -> None:
        """Say of the active version that it lacks nothing any more, and that nothing is under way to an earlier one."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            if await _has_caught_up(connection) is None:
                return
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(versions.LOCK)  # a writer may just be finishing something by the old rule
            if (caught_up := await _has_caught_up(connection)) is not None:
                await connection.execute(decisions_sql.CAUGHT_UP, caught_up)

    async def empty_retired(self) -> None:
        """Delete what is left under retired versions. Raises Stopped, and what asyncpg raises."""
        for row in await self._pool.fetch(sql.RETIRED):
            if await self._empty(row["version_id"]):
                _log.info("retired_version_emptied", analysis_version=row["name"])

    async def _empty(self, version_id: int) -> bool:
        while True:
            left = await self._remove_some(version_id)
            if left is None:  # another sink does it
                return False
            if not left:
                break
            await pause(_BREATH_SECONDS, self._stop)
        await self.fold()
        for query in sql.CELLS:
            while await self._pool.fetchval(query, version_id, _CELLS):
                await pause(_BREATH_SECONDS, self._stop)
        await self._pool.execute(sql.EMPTIED, version_id)
        return True

    async def _remove_some(self, version_id: int) -> int | None:
        """How many conversations had something under it; None when another sink removes now."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(versions.LOCK_SHARED)
            if not await connection.fetchval(sql.LOCK) or not await connection.fetchval(sql.STILL_RETIRED, version_id):
                return None
            return await remove_page(connection, version_id, _CONVERSATIONS)


async def _has_caught_up(connection: Any) -> str | None:
    """The active version when it is to be said that it has caught up."""
    known = await read_versions(connection)
    if known.active is None or not known.is_catching_up:
        return None
    if await count_missing(connection, known.ids[known.active]):
        return None
    return known.active if await connection.fetchval(decisions_sql.IS_SETTLED, IN_FLIGHT_SECONDS) else None


async def remove_page(connection: Any, version_id: int, limit: int) -> int:
    """Remove what some conversations have under a version, inside the caller's transaction; gives how many."""
    ids = [row["conversation_id"] for row in await connection.fetch(sql.PAGE, version_id, "", limit)]
    if ids:
        await connection.fetchval(removals.INSIGHTS_OF_VERSION, ids, version_id)
        await connection.fetchval(removals.POINTERS_OF_VERSION, ids, version_id)
    return len(ids)
