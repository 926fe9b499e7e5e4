"""kill -9 of a sink inside an open transaction, proven: the process is frozen first, then Postgres is asked.

A frozen sink sends nothing, and while a statement runs it has not sent the next one: a transaction whose statement
runs then, and is no COMMIT, cannot commit any more. Each sink connects as a role of its own, by which Postgres tells
whose transaction it is.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import asyncpg

from tests.end_to_end.deployment import Service
from tests.waiting import eventually

KILL_SECONDS = 240
"""Within which a sink must have been met in a transaction: it may be starting, or Postgres be away."""

_OPEN_TRANSACTION = """
    SELECT backend_start, backend_xid::text AS xid, pg_postmaster_start_time() AS server_start FROM pg_stat_activity
    WHERE usename = $1 AND backend_xid IS NOT NULL AND backend_start <> ALL ($2::timestamptz[])
        AND state = 'active' AND query !~* '^\\s*(commit|rollback|insert into consumer_offsets)'
"""
"""A claim inserts into consumer_offsets in a transaction of one statement, which commits by itself."""
_ENDED = "SELECT pg_xact_status($1::text::xid8) AS status, pg_postmaster_start_time() AS server_start"
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a query raises whose server goes away meanwhile."""


async def create_role(database_url: str, name: str) -> None:
    """A role that may do everything, to tell one sink's transactions from another's."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{name}'")
    finally:
        await connection.close()


@dataclass
class Killer:
    """Kills one sink again and again."""

    service: Service
    role: str
    database_url: str
    kills: int = 0
    """So far, each within a transaction of which nothing was kept."""
    _killed: list[datetime] = field(default_factory=list)
    """When the backends began whose sink is dead: they may live on for a moment."""
    _connection: asyncpg.Connection | None = None

    async def run(self, kills: int) -> None:
        """Kill and restart so many times."""
        try:
            while self.kills < kills:
                found = await eventually(
                    self._kill, within_seconds=KILL_SECONDS, every_seconds=0.005, what=f"{self.role} is killed"
                )
                await self.service.start(wait=False)
                await eventually(partial(self._is_rolled_back, found), within_seconds=KILL_SECONDS)
                self.kills += 1
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def _kill(self) -> asyncpg.Record | None:
        """Kill the sink if it is in a transaction that has written, and give that transaction."""
        if await self._open_transaction() is None:
            return None
        self.service.freeze()
        found = await self._open_transaction()
        if found is None:
            self.service.thaw()
            return None
        await self.service.kill()
        self._killed.append(found["backend_start"])
        return found

    async def _is_rolled_back(self, transaction: asyncpg.Record) -> bool:
        """Whether it is gone; when Postgres was restarted meanwhile it is, and another may have its number."""
        ended = await self._ask(_ENDED, transaction["xid"])
        if ended is None:
            return False
        if ended["server_start"] != transaction["server_start"]:
            return True
        if ended["status"] == "committed":  # no AssertionError: waiting longer would not help
            raise RuntimeError(f"{self.role} was killed in transaction {transaction['xid']}, which is committed")
        return bool(ended["status"] == "aborted")

    async def _open_transaction(self) -> asyncpg.Record | None:
        return await self._ask(_OPEN_TRANSACTION, self.role, self._killed)

    async def _ask(self, query: str, *values: object) -> asyncpg.Record | None:
        """A row; None while Postgres is away, too."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self.database_url, timeout=5)
            return await self._connection.fetchrow(query, *values)
        except _AWAY:
            return None
