"""kill -9 of a sink inside an open transaction, proven: the process is frozen first, then Postgres is asked.

A frozen sink sends nothing, and while a statement runs it has not sent the next one: a transaction whose statement
runs then, and is no COMMIT, cannot commit any more. Each sink connects as a role of its own, by which Postgres tells
whose transaction it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from tests.end_to_end.deployment import Service
from tests.waiting import eventually

KILL_SECONDS = 240
"""Within which a sink must have been met in a transaction: it may be starting, or Postgres be away."""

_OPEN_TRANSACTION = """
    SELECT backend_start, backend_xid::text AS xid FROM pg_stat_activity
    WHERE usename = $1 AND backend_xid IS NOT NULL AND backend_start <> ALL ($2::timestamptz[])
        AND state = 'active' AND query !~* '^\\s*(commit|rollback|insert into consumer_offsets)'
"""
"""A claim inserts into consumer_offsets in a transaction of one statement, which commits by itself."""
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
    xids: list[str] = field(default_factory=list)
    """The transactions that were open at the kills."""
    _killed: list[datetime] = field(default_factory=list)
    """When the backends began whose sink is dead: they may live on for a moment."""
    _connection: asyncpg.Connection | None = None

    async def run(self, kills: int) -> None:
        """Kill and restart so many times."""
        try:
            while len(self.xids) < kills:
                await eventually(
                    self._is_killed, within_seconds=KILL_SECONDS, every_seconds=0.005, what=f"{self.role} is killed"
                )
                await self.service.start(wait=False)
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def _is_killed(self) -> bool:
        """Kill the sink if it is in a transaction that has written."""
        if await self._open_transaction() is None:
            return False
        self.service.freeze()
        found = await self._open_transaction()
        if found is None:
            self.service.thaw()
            return False
        await self.service.kill()
        self.xids.append(found["xid"])
        self._killed.append(found["backend_start"])
        return True

    async def _open_transaction(self) -> asyncpg.Record | None:
        """None, too, while Postgres is away."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self.database_url, timeout=5)
            return await self._connection.fetchrow(_OPEN_TRANSACTION, self.role, self._killed)
        except _AWAY:
            return None


async def outcomes_of_transactions(database_url: str, xids: Sequence[str]) -> set[str]:
    """How these transactions ended: `aborted`, if nothing of them was kept."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT pg_xact_status(xid::xid8) AS status FROM unnest($1::text[]) xid", list(xids)
        )
    finally:
        await connection.close()
    return {row["status"] for row in rows}
