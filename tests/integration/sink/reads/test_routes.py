"""Routes to a list's rows that few rows alone would not take: each gives the same list."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from schemas.insight_produced import InsightProduced
from services.sink.cursors import Cursor
from services.sink.database import open_read_pool
from services.sink.reads import pages, stretches
from services.sink.reads.filters import ORDERS, InsightFilters
from services.sink.reads.insights import read_extent
from services.sink.reads.pages import cursor_after, open_list
from services.sink.reads.totals import Total
from services.sink.reads.words import SearchedWords
from services.sink.windows import Window
from tests.integration.sink.reads.reading import COUNT

FILTERS = (InsightFilters(1), InsightFilters(1, topic="refund"), InsightFilters(1, channel="chat", sentiment="neutral"))
ROUTES = {
    "few are sorted": {"_SORTED_AT_MOST": 10_000},
    "many are merged": {"_SORTED_AT_MOST": 0},
    "sorted and merged at once": {"_SORTED_AT_MOST": 60},
    "days in several statements": {"_SORTED_AT_MOST": 0, "_DAYS_AT_ONCE": 1},
}


@pytest.fixture
async def connection(module_database: str, known: list[InsightProduced]) -> AsyncIterator[asyncpg.Connection]:
    async with (
        open_read_pool(module_database, connections=1, timeout_seconds=30) as pool,
        pool.acquire() as opened,
        opened.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield opened


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("order", ["most_negative", "least_confident"])
async def test_pages_in_an_order_are_the_same_by_every_route(
    connection: asyncpg.Connection,
    known: list[InsightProduced],
    monkeypatch: pytest.MonkeyPatch,
    route: str,
    order: str,
) -> None:
    for name, value in ROUTES[route].items():
        monkeypatch.setattr(pages, name, value)
    for filters in FILTERS:
        expected = sorted(
            (one.sentiment_score if order == "most_negative" else one.confidence, one.conversation_id)
            for one in known
            if filters.topic in {None, *one.topics}
            and filters.channel in {None, one.channel}
            and filters.sentiment in {None, one.sentiment.value}
        )
        assert await seen(connection, filters, order) == [conversation_id for _, conversation_id in expected]


async def seen(connection: asyncpg.Connection, filters: InsightFilters, order: str) -> list[str]:
    """All of a list, page by page."""
    return [one for page in await pages_of(connection, filters, order) for one in page]


async def pages_of(connection: asyncpg.Connection, filters: InsightFilters, order: str) -> list[list[str]]:
    """The pages of a list, also those that have fewer than they might."""
    extent = await read_extent(connection, filters.version_id)
    assert extent is not None
    window = Window(extent.start, extent.end.replace(year=extent.end.year + 1))
    found: list[list[str]] = []
    after: Cursor | None = None
    while True:
        asked = await open_list(connection, filters, window, extent)
        rows, goes_on_at = await asked.page(ORDERS[order], limit=37, after=after, total=await asked.total())
        found.append([row["conversation_id"] for row in rows])
        if goes_on_at is not None:
            after = Cursor(window, goes_on_at, "")
        elif len(rows) < 37:
            return found
        else:
            after = cursor_after(rows[-1], window)


@pytest.mark.parametrize("order", ["newest", "most_negative", "least_confident"])
@pytest.mark.parametrize(
    "filters", [InsightFilters(1, topic="refund"), InsightFilters(1, channel="chat", words=("words",))]
)
async def test_a_search_that_is_given_up_goes_on_where_it_ended(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, order: str, filters: InsightFilters
) -> None:
    monkeypatch.setattr(pages, "_SORTED_AT_MOST", 0)
    expected = await seen(connection, filters, order)
    monkeypatch.setattr(stretches, "_SEARCHING_SECONDS", -1)
    monkeypatch.setattr(SearchedWords, "are_rare", lambda *_: False)
    monkeypatch.setattr(SearchedWords, "rows_until", lambda *_: 3)
    monkeypatch.setattr(pages, "_NOT_ALL_MATCH", 1)
    found = await pages_of(connection, filters, order)
    assert [one for page in found for one in page] == expected
    if order != "newest" or filters.words:  # the newest of a topic are where rollups say
        assert len(found) > len(expected) // 37 + 1, "some pages are short"


class Impatient:
    """A connection on which counting by the index of words takes too long."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.gave_up = 0

    async def fetchval(self, query: str, *values: Any) -> Any:
        if "count(*)" in query and "FROM conversation_turns t WHERE words_of(t.turns) @@" in query and not self.gave_up:
            self.gave_up += 1
            await self._connection.fetchval("SET LOCAL statement_timeout = 1")
            return await self._connection.fetchval("SELECT pg_sleep(60)")
        return await self._connection.fetchval(query, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_words_whose_index_takes_too_long_are_counted_row_by_row(connection: asyncpg.Connection) -> None:
    impatient = Impatient(connection)
    extent = await read_extent(connection, 1)
    assert extent is not None
    window = Window(extent.start, extent.end.replace(year=extent.end.year + 1))
    before = await connection.fetchval("SHOW statement_timeout")
    found = await open_list(impatient, InsightFilters(1, words=("words",)), window, extent)
    assert await found.total() == Total(COUNT)
    assert impatient.gave_up == 1
    assert await connection.fetchval("SHOW statement_timeout") == before
