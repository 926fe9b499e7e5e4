"""What the read API's questions cost in a full database, against one that is nearly empty.

    python -m benchmarks.reads [--large 10000000] [--small 100000] [--questions 500] [--postgres URL]

Two databases on one server, filled as benchmarks.fill does, and asked in turn: pages of 100 from random places of the
whole, total counts and trends over random windows of seconds to days. Times are those of the queries, as a request
makes them in one transaction; HTTP adds the same to both. Printed too: buffers a page takes beside its rows, and what
filters, words and other orders take. Databases that are filled already (--large-database NAME, --small-database NAME)
are used as they are.
"""

import argparse
import asyncio
import json
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from benchmarks.fill import Week, filling
from benchmarks.measure import Report, median, percentile, run
from services.sink.cursors import Cursor, micros_of
from services.sink.database import open_read_pool
from services.sink.reads.filters import NEWEST, ORDERS, InsightFilters
from services.sink.reads.insights import read_extent
from services.sink.reads.pages import open_list
from services.sink.reads.trends import TrendQuestion, read_trends
from services.sink.windows import Window
from tests.infrastructure.databases import create_migrated_database, drop_database, url_of
from tests.infrastructure.servers import new_postgres, running

LIMIT = 100
ORDINARY: dict[str, tuple[InsightFilters, str]] = {
    "a sentiment": (InsightFilters(1, sentiment="negative"), "newest"),
    "a topic and a channel": (InsightFilters(1, topic="baggage", channel="phone"), "newest"),
    "most negative": (InsightFilters(1), "most_negative"),
    "most negative of a topic": (InsightFilters(1, topic="baggage"), "most_negative"),
    "least confident": (InsightFilters(1), "least_confident"),
    "the sure ones": (InsightFilters(1, min_confidence=0.8), "newest"),
    "a frequent word": (InsightFilters(1, words=("parcel",)), "newest"),
    "two words of a topic": (InsightFilters(1, topic="baggage", words=("suitcase", "money")), "newest"),
    "a rare word": (InsightFilters(1, words=("4711",)), "newest"),
    "most negative of a content topic": (InsightFilters(1, topic="customer_support"), "most_negative"),
    "words that nobody says there": (InsightFilters(1, topic="baggage", words=("parcel",)), "newest"),
    "a word that nobody said": (InsightFilters(1, words=("xylophone",)), "newest"),
}


@dataclass
class Side:
    """One of the two databases."""

    pool: asyncpg.Pool
    extent: Window
    chance: random.Random

    async def timed(self, question: Callable[["Side", Any], Awaitable[None]]) -> float:
        """Milliseconds of a question in a transaction of its own."""
        async with self.pool.acquire() as connection:
            begun = time.perf_counter()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await question(self, connection)
            return (time.perf_counter() - begun) * 1000

    def window(self) -> Window:
        """A random one, of seconds or of days, whose ends lie within minutes."""
        length = self.extent.length * self.chance.choice([0.00001, 0.001, 0.1, 0.5, 1]) * self.chance.uniform(0.5, 1)
        start = self.extent.start + (self.extent.length - length) * self.chance.random()
        return Window(start, start + max(length, timedelta(seconds=1)))


async def keyset_page(side: Side, connection: Any) -> None:
    """100 insights after a random place."""
    extent = side.extent
    place = Cursor(extent, micros_of(extent.start + extent.length * side.chance.uniform(0.01, 1)), "~")
    found = await open_list(connection, InsightFilters(1), extent, extent)
    total = await found.total()
    assert len((await found.page(NEWEST, limit=LIMIT, after=place, total=total)).rows) == LIMIT


async def total_count(side: Side, connection: Any) -> None:
    """The exact number of a window, by a filter that rollups know."""
    filters = side.chance.choice(
        [
            InsightFilters(1),
            InsightFilters(1, sentiment="negative"),
            InsightFilters(1, topic="baggage"),
            InsightFilters(1, channel="mail"),
        ]
    )
    found = await open_list(connection, filters, side.window(), side.extent)
    assert (await found.total()).is_exact


async def trends(side: Side, connection: Any) -> None:
    """Everything that /trends says of a window."""
    window = side.window()
    by_day = window.length > timedelta(days=2)
    await read_trends(connection, TrendQuestion(1, window, by_day=by_day, zone=ZoneInfo("Europe/Berlin")))


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Fill what is to be filled, ask both sides in turn and judge."""
    async with AsyncExitStack() as opened:
        server = options.postgres or opened.enter_context(running(new_postgres())).url
        small = await _side(opened, await _filled(opened, server, options.small_database, options.small))
        large = await _side(opened, await _filled(opened, server, options.large_database, options.large))
        pages = await _in_turn(large, small, keyset_page, options.questions)
        report.note(f"a page: median {median(pages[0]):.2f} ms in the large, {median(pages[1]):.2f} in the small")
        report.at_most(
            "a keyset page of 100, p99 large / p99 small", percentile(pages[0], 99) / percentile(pages[1], 99), 1.5
        )
        report.at_most(f"buffers to find its {LIMIT} rows", await _buffers(large), LIMIT + 10)
        for name, question in (("total_count", total_count), ("trends", trends)):
            times = await _in_turn(large, small, question, options.questions)
            report.note(
                f"{name}: median {median(times[0]):.2f} ms in the large database, {median(times[1]):.2f} in the small"
            )
            report.at_most(
                f"{name} over any window, p99 in the large database", percentile(times[0], 99), 10, unit="ms"
            )
        for name, (filters, order) in ORDINARY.items():
            report.note(await _told(large, name, filters, order))


async def _in_turn(
    first: Side, second: Side, question: Callable[[Side, Any], Awaitable[None]], count: int
) -> tuple[list[float], list[float]]:
    """ABBA, question by question; a tenth of them beforehand, not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-count // 10, count):
        sides = [(first, times[0]), (second, times[1])]
        for side, gave in sides if number % 2 else sides[::-1]:
            elapsed = await side.timed(question)
            if number >= 0:
                gave.append(elapsed)
    return times


async def _buffers(side: Side) -> int:
    """What finding a page in the middle touches: the index and the rows themselves."""
    middle = side.extent.start + side.extent.length / 2
    async with side.pool.acquire() as connection, connection.transaction():
        found = await open_list(connection, InsightFilters(1), side.extent, side.extent)
        statement = found.routes.in_ranges([Window(side.extent.start, middle)], limit=LIMIT)
        text = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.outcomes}", *statement.values
        )
    plan = json.loads(text)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def _told(side: Side, name: str, filters: InsightFilters, order: str) -> str:
    times = []
    for _ in range(5):
        async with side.pool.acquire() as connection:
            begun = time.perf_counter()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                found = await open_list(connection, filters, side.extent, side.extent)
                total = await found.total()
                page = await found.page(ORDERS[order], limit=LIMIT, after=None, total=total)
            times.append((time.perf_counter() - begun) * 1000)
    count = f"{total.count:,}" if total.is_exact else f"more than {total.count:,}"
    end = "" if page.goes_on_at is None else ", and a cursor to search on from"
    return f"{name}: {median(times):.0f} ms for {len(page.rows)} of {count}, with the count{end}"


async def _filled(opened: AsyncExitStack, server: str, name: str | None, insights: int) -> str:
    if name is not None:
        return url_of(server, name)
    name = f"undertone_reads_{uuid.uuid4().hex[:8]}"
    url = await asyncio.to_thread(create_migrated_database, server, name)
    opened.callback(drop_database, server, name)
    async with filling(url, Week(insights)) as database:
        await database.run()
    return url


async def _side(opened: AsyncExitStack, url: str) -> Side:
    pool = await opened.enter_async_context(open_read_pool(url, connections=1, timeout_seconds=30))
    async with pool.acquire() as connection:
        extent = await read_extent(connection, 1)
    assert extent is not None, "the database is empty"
    return Side(pool, extent, random.Random(7))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=10_000_000, help="insights in the full database")
    parser.add_argument("--small", type=int, default=100_000, help="insights in the other one")
    parser.add_argument("--large-database", help="the name of one that is filled already")
    parser.add_argument("--small-database", help="likewise")
    parser.add_argument("--questions", type=int, default=500, help="of each kind")
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL; default: a temporary one")
    run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
