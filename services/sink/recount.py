"""Counting rollups anew: what `undertone audit rollups` and the tests ask. It must always find nothing."""

from typing import Any

from services.sink.reads.members import Row
from services.sink.sql.recounts import DIFFERENCES


async def differing_cells(connection: Any) -> list[Row]:
    """The cells of all rollups that a recount does not confirm, as of one moment, at most 100 a rollup."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return [row for query in DIFFERENCES for row in await connection.fetch(query)]
