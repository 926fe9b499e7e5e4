"""Fixtures of the sink's tests: pools on a database of the test's own, and a store with claims."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.sink.database import open_write_pool
from services.sink.recount import differing_cells
from tests.integration.sink.harness import Sink


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_write_pool(database_url) as opened:
        yield opened


@pytest.fixture
async def sink(pool: asyncpg.Pool) -> AsyncIterator[Sink]:
    """A store under test; when the test is over every rollup must equal a recount."""
    yield await Sink(pool).claim()
    async with pool.acquire() as connection:
        assert await differing_cells(connection) == []
