"""How many insights match filters that no rollup covers: counted up to a bound, and no longer than a moment."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import QueryCanceledError

from services.sink.reads.routes import Routes, Statement
from services.sink.sql import pages as sql
from services.sink.windows import Window

COUNTED_UP_TO = 10_000
"""How far matches are counted for filters that no rollup covers."""
_COUNTING_SECONDS = 0.5
"""How long such a count may take when words are frequent and have to be looked for row by row."""


@dataclass(frozen=True, slots=True)
class Total:
    """How many match; when it is not exact, there are at least so many."""

    count: int
    is_exact: bool = True


async def counted(connection: Any, statement: Statement) -> Total:
    """By one statement."""
    found = await connection.fetchval(statement.count, *statement.values)
    return Total(min(found, COUNTED_UP_TO), is_exact=found <= COUNTED_UP_TO)


async def counted_with_patience(connection: Any, statement: Statement) -> Total | None:
    """None when it takes too long: words that are frequent each may be rare together, and nobody knows before."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.fetchval(sql.PATIENCE, _COUNTING_SECONDS)
        return await counted(connection, statement)
    except QueryCanceledError:
        return None
    finally:
        await transaction.rollback()  # to where it began: the patience ends with it


async def counted_slowly(connection: Any, routes: Routes, slices: AsyncIterator[Sequence[Window]], limit: int) -> Total:
    """Slice by slice until the limit, or until it takes too long: then there are at least as many as were counted."""
    clock = asyncio.get_running_loop().time
    until = clock() + _COUNTING_SECONDS
    found, is_late = 0, False
    async for ranges in slices:
        if is_late:
            return Total(found, is_exact=False)
        statement = routes.in_ranges(ranges, limit=limit - found)
        found += await connection.fetchval(statement.count, *statement.values)
        if found >= limit:
            return Total(COUNTED_UP_TO, is_exact=False)
        is_late = clock() > until
    return Total(found)
