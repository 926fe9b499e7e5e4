"""Fill a new database with plausible conversations and insights of a week: ten million in minutes.

    python -m benchmarks.fill [--insights 10000000] [--days 7] [--database undertone_filled] [--postgres URL]

Postgres draws the rows itself (nothing travels to it), table beside table, and builds the indexes afterwards. The
rollups are counted from the rows, so a recount agrees: the program ends with one, unless --no-recount is given. The
database is made and migrated first; one that exists is refused, or with --replace dropped.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from benchmarks import fill_statements as sql
from services.sink.recount import differing_cells
from tests.infrastructure.databases import create_migrated_database, drop_database

VERSION = "offline-2"
CHUNK = 250_000
"""Rows of one statement: what progress is told by."""
_AT_ONCE = 2
_SETTINGS = {
    "synchronous_commit": "off",
    "maintenance_work_mem": "512MB",
    "max_parallel_maintenance_workers": "2",
    "work_mem": "256MB",
    "jit": "off",
    "statement_timeout": "0",
    "session_replication_role": "replica",  # no triggers: what they count is counted once, at the end
}


@dataclass
class Progress:
    """Says what is done, at most once a second, each on a line of its own."""

    total: int
    begun: float
    rows: int = 0
    _said_at: float = 0.0

    def add(self, rows: int) -> None:
        """So many rows more are there."""
        self.rows += rows
        now = time.monotonic()
        if now - self._said_at >= 1 or self.rows == self.total:
            self._said_at = now
            self.say(f"{self.rows:,} of {self.total:,} rows, {self.rows / self.total:.0%}")

    def say(self, what: str) -> None:
        """Say it with the time since the beginning."""
        print(f"{time.monotonic() - self.begun:6.1f} s  {what}", flush=True)


@dataclass(frozen=True, slots=True)
class Week:
    """What is drawn: so many insights over so many days, up to now or from a moment on."""

    insights: int
    days: int = 7
    start: datetime | None = None
    drawn: str = sql.DRAWN
    """A statement that gives rows by their numbers, as fill_statements.DRAWN does."""
    is_kept: bool = True
    """Whether the tables survive a crash: a test's need not, and are filled sooner."""


class Filling:
    """One database being filled."""

    def __init__(self, pool: asyncpg.Pool, week: Week) -> None:
        self._pool = pool
        self._week = week
        self._start = week.start or datetime.now(UTC) - timedelta(days=week.days)
        self._progress = Progress(week.insights * len(sql.TABLES), time.monotonic())

    async def run(self) -> None:
        """Rows, indexes, rollups."""
        await self._pool.execute(
            "INSERT INTO analysis_versions (name, state, activated_at) VALUES ($1, 'active', now())", VERSION
        )
        await asyncio.gather(*(self._fill(table) for table in sql.TABLES))
        for statement in sql.ROLLUPS:
            await self._pool.execute(statement)
        for table in sql.ROLLUP_TABLES:
            await self._pool.execute(f"VACUUM (ANALYZE) {table}")
        self._progress.say("rollups counted")

    async def _fill(self, table: str) -> None:
        """A connection of its own all the time: the pool has as many as may work at once."""
        async with self._pool.acquire() as connection:
            indexes = await connection.fetch(sql.INDEXES, table)
            for index in indexes:
                await connection.execute(index["drop"])
            if not self._week.is_kept:
                await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
            statement = f"WITH drawn AS ({self._week.drawn}) {sql.TABLES[table]}"
            total, seconds = self._week.insights, self._week.days * 86_400
            for low in range(0, total, CHUNK):
                high = min(low + CHUNK, total)
                await connection.execute(statement, self._start, seconds, total, low, high)
                self._progress.add(high - low)
            for index in indexes:
                await connection.execute(index["create"])
                self._progress.say(f"index {index['name']}")
            await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")

    async def recount(self) -> int:
        """How many cells of the rollups a recount does not confirm."""
        async with self._pool.acquire() as connection:
            differing = len(await differing_cells(connection))
        self._progress.say(f"recounted: {differing} cells differ")
        return differing


@asynccontextmanager
async def filling(url: str, week: Week) -> AsyncIterator[Filling]:
    """A migrated, empty database to be filled."""
    async with asyncpg.create_pool(
        url, min_size=0, max_size=_AT_ONCE, server_settings=_SETTINGS, command_timeout=None
    ) as pool:
        yield Filling(pool, week)


async def fill(options: argparse.Namespace) -> None:
    """Make the database and fill it."""
    if options.replace:
        await asyncio.to_thread(drop_database, options.postgres, options.database)
    url = await asyncio.to_thread(create_migrated_database, options.postgres, options.database)
    async with filling(url, Week(options.insights, options.days)) as database:
        await database.run()
        if options.recount and await database.recount():
            raise SystemExit(1)
    print(f"DATABASE_URL={url}")


def main() -> None:
    """Read the options and fill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--insights", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--database", default="undertone_filled", help="its name")
    parser.add_argument("--replace", action="store_true", help="drop a database of that name first")
    parser.add_argument("--recount", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL of a server; or DATABASE_URL")
    options = parser.parse_args()
    if not options.postgres:
        parser.error("say with --postgres, or DATABASE_URL, where the Postgres is that is to hold it")
    asyncio.run(fill(options))


if __name__ == "__main__":
    main()
