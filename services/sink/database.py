"""Connections to Postgres: one pool for writing, one for reading, and what readers hear when it is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.runtime.logs import get_logger
from services.runtime.problems import Problem
from services.sink.failures import is_unavailable, without_values
from services.sink.metrics import POOL_IN_USE
from services.sink.migrate import missing_migrations

_log = get_logger(__name__)

_CONNECT_SECONDS = 5.0
_ACQUIRE_SECONDS = 2.0
_PROBE_SECONDS = 1.5
_WRITERS = 4
"""The consumer's, and those of what runs beside it: retention, upkeep of versions, decisions."""
_WRITE_SETTINGS = {
    "application_name": "undertone-sink",
    "jit": "off",
    # A stopped process must not hold its locks: another sink claims its partitions.
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "20s",
    "statement_timeout": "60s",
    # Every join is one of a batch with an index. A plan made while a table was small would scan it for ever, so plans
    # are made for each batch, with its own size (1 ms a statement), and never by scanning or hashing a table. (What
    # is looked up among a batch's own rows stands in arrays, which Postgres hashes by itself.)
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


@asynccontextmanager
async def open_write_pool(url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections for the consumer; opened when they are needed, so that it starts without Postgres."""
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=_WRITERS,
        timeout=_CONNECT_SECONDS,
        command_timeout=90,
        server_settings=_WRITE_SETTINGS,
    )
    async with _opened(pool):
        yield pool


@asynccontextmanager
async def open_read_pool(url: str, *, connections: int, timeout_seconds: float) -> AsyncIterator[asyncpg.Pool]:
    """Connections for the read API; each query is given up after the timeout."""
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections,
        timeout=_CONNECT_SECONDS,
        command_timeout=timeout_seconds + 1,
        reset=_nothing_to_reset,
        server_settings={
            "application_name": "undertone-read-api",
            "jit": "off",
            "statement_timeout": f"{int(timeout_seconds * 1000)}ms",
            "idle_in_transaction_session_timeout": "30s",
            "timezone": "UTC",
            # Every question is a short one: to start workers would take longer than to answer.
            "max_parallel_workers_per_gather": "0",
            # What says a frequent word is a set of pages: one that does not fit reads each page's words anew.
            "work_mem": "32MB",
            # Plans are made for the values asked for: what is right for one word or window is wrong for another.
            "plan_cache_mode": "force_custom_plan",
        },
    )
    async with _opened(pool):
        yield pool


async def _nothing_to_reset(connection: Any) -> None:
    """Readers change settings within transactions only, so that no answer waits for a connection to be cleaned."""


@asynccontextmanager
async def _opened(pool: asyncpg.Pool) -> AsyncIterator[None]:
    await pool  # min_size=0: this connects to nothing yet
    try:
        yield
    finally:
        pool.terminate()  # whatever is open belongs to a request or batch that was cancelled


class Database:
    """What endpoints read from."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._is_migrated = False

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        """A connection that sees one moment of the database, whatever is written meanwhile. Raises as `connection`."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection on which each statement sees the database as it is by then.

        Raises a 503 Problem when Postgres is away, busy, or slower than the query timeout.
        """
        try:
            async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                POOL_IN_USE.labels("read").set(self._pool.get_size() - self._pool.get_idle_size())
                yield connection
        except asyncpg.QueryCanceledError as error:
            raise too_slow() from error
        except Exception as error:
            if not is_unavailable(error):
                raise
            _log.warning("read_failed", reason=without_values(error))
            raise _away() from error

    async def is_up(self) -> bool:
        """Whether a query answers."""
        return await self.problem() is None

    async def problem(self) -> str | None:
        """Why nothing can be read or stored now, in one sentence; None when all is well."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS), self._pool.acquire() as connection:
                if self._is_migrated:
                    await connection.fetchval("SELECT 1")
                    return None
                missing = await missing_migrations(connection)
        except Exception as error:
            if not is_unavailable(error):
                raise
            return f"Postgres does not answer: {without_values(error)}"
        self._is_migrated = not missing
        return f"run `undertone migrate`, the database lacks {', '.join(missing)}" if missing else None


def _away() -> Problem:
    return Problem(503, "database_unavailable", "Postgres does not answer at the moment; try again.", retry_after=2)


def too_slow() -> Problem:
    """What a reader hears whose question takes too long."""
    details = "The question takes longer than SINK_QUERY_TIMEOUT_SECONDS; ask for a smaller window or fewer filters."
    return Problem(503, "query_timeout", details, retry_after=5)
