"""Every statement of the read API on a million rows: by index, with buffers that the answer explains.

One test, since the rows take longer than all questions together. The statements are those that are really sent: the
connection under the questions explains each one before it runs it.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.sink.cursors import Cursor
from services.sink.database import open_read_pool
from services.sink.reads.conversations import (
    ConversationFilters,
    conversation_cursor,
    read_conversation,
    read_conversations,
    read_trail,
)
from services.sink.reads.counts import CountedCells, sentiment_counts
from services.sink.reads.filters import ORDERS, InsightFilters
from services.sink.reads.insights import read_completion, read_extent, read_insight, read_other_versions
from services.sink.reads.lookup import read_known_results
from services.sink.reads.pages import InsightList, cursor_after, open_list
from services.sink.reads.routes import SENTIMENTS
from services.sink.reads.status import read_status
from services.sink.reads.totals import Total
from services.sink.reads.trends import TrendQuestion, read_trends
from services.sink.sql import coverage as coverage_sql
from services.sink.sql import stream as stream_sql
from services.sink.versioning.coverage import BEGINNING, count_missing, read_standings, walk_missing
from services.sink.versioning.diffs import read_diff
from services.sink.versions import read_versions
from services.sink.windows import Window
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.integration.sink.million import END, ROWS, START, VERSION, fill
from tests.integration.sink.reads.watched import Watched, buffers_of

LIMIT = 101
PAGE = LIMIT * 40
"""Buffers of a page: of each row the outcome, and by their keys its insight, words and conversation."""
WEEK = Window(START, END)
DAY = Window(END - timedelta(days=3, seconds=17), END - timedelta(days=2, seconds=3))
LISTS: dict[str, tuple[InsightFilters, int]] = {
    "everything": (InsightFilters(1), PAGE + 100),
    "a sentiment": (InsightFilters(1, sentiment="negative"), PAGE + 1_000),
    "a topic": (InsightFilters(1, topic="refund"), PAGE + 20_000),
    "a rare topic": (InsightFilters(1, topic="rare"), PAGE + 4_000),
    "a rare channel": (InsightFilters(1, channel="rare"), PAGE + 4_000),
    "all of these": (InsightFilters(1, channel="chat", topic="refund", sentiment="neutral"), PAGE + 80_000),
    "the rather sure": (InsightFilters(1, min_confidence=0.5), PAGE + 6_000),
    "the very sure": (InsightFilters(1, min_confidence=0.9999), PAGE + 500),
    "the sure of a topic": (InsightFilters(1, min_confidence=0.995, topic="refund"), PAGE + 10_000),
    "a frequent word": (InsightFilters(1, words=("parcel",)), PAGE + 60_000),
    "a word now and then": (InsightFilters(1, words=("week",)), PAGE + 130_000),
    "a rare word": (InsightFilters(1, words=("unicorn",)), PAGE + 1_500),
    "the beginning of a rare word": (InsightFilters(1, words=("unic*",)), PAGE + 1_500),
    "rare words of a sentiment": (InsightFilters(1, words=("unicorn", "eaten"), sentiment="negative"), PAGE + 1_500),
    "a word that nobody said": (InsightFilters(1, words=("xylophone",)), 1_000),
}
"""By what is asked for; and the buffers that the dearest of its statements may touch."""


@pytest.fixture
async def connection(infrastructure: Infrastructure, migrated_template_name: str) -> AsyncIterator[asyncpg.Connection]:
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        await fill(url)
        async with (
            open_read_pool(url, connections=1, timeout_seconds=60) as pool,
            pool.acquire() as opened,
            opened.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield opened


@pytest.mark.no_cover  # computes for long, and what it runs is counted elsewhere
@pytest.mark.timeout(900)
async def test_every_question_on_a_million_insights_is_answered_by_index(connection: asyncpg.Connection) -> None:
    watched = Watched(connection)
    for name, (filters, bar) in LISTS.items():
        of_day = await by_scanning(connection, filters, DAY)
        orders = ("newest", "most_negative") if filters.words else tuple(ORDERS)
        for order in orders:
            watched.asked, watched.bar = f"{name}, {order}", bar
            await two_pages(watched, filters, WEEK, order)
            await pages_are_right(watched, filters, order, of_day)
    for name, (question, bar) in QUESTIONS.items():
        watched.asked, watched.bar = name, bar
        await question(watched)
        await watched.forget_settings()
    await keyset_pages_touch_few_buffers_but_their_rows(watched)
    assert not watched.problems, "\n".join(watched.problems)


async def two_pages(watched: Watched, filters: InsightFilters, window: Window, order: str) -> tuple[list[str], Total]:
    found = await listed(watched, filters, window)
    total = await found.total()
    seen: list[str] = []
    after: Cursor | None = None
    for _ in range(2):
        rows, goes_on_at = await found.page(ORDERS[order], limit=LIMIT, after=after, total=total)
        seen += [row["conversation_id"] for row in rows]
        if len(rows) < LIMIT and goes_on_at is None:
            break
        after = cursor_after(rows[-1], window) if goes_on_at is None else Cursor(window, goes_on_at, "")
    return seen, total


async def pages_are_right(watched: Watched, filters: InsightFilters, order: str, of_day: list[asyncpg.Record]) -> None:
    """Two pages hold what the day, read whole and sorted, begins with; and the total is its number."""
    seen, total = await two_pages(watched, filters, DAY, order)
    column, is_descending = ORDERS[order].column, ORDERS[order].is_descending
    expected = sorted(of_day, key=lambda row: (row[column], row["conversation_id"]), reverse=is_descending)
    assert seen == [row["conversation_id"] for row in expected[: 2 * LIMIT]], (filters, order)
    assert total.count == (len(of_day) if total.is_exact else min(total.count, len(of_day))), filters


async def by_scanning(connection: asyncpg.Connection, filters: InsightFilters, window: Window) -> list[asyncpg.Record]:
    """The slow and plain way."""
    rows: list[asyncpg.Record] = await connection.fetch(
        """
        SELECT conversation_id, occurred_at, score, confidence
        FROM current_outcomes o
        WHERE o.occurred_at >= $1 AND o.occurred_at < $2
            AND ($3::text IS NULL OR o.sentiment = $3::text::sentiment) AND ($4::text IS NULL OR o.channel = $4)
            AND ($5::text IS NULL OR $5 = ANY (o.topics)) AND ($6::float8 IS NULL OR o.confidence >= $6)
            AND (cardinality($7::text[]) = 0 OR (
                SELECT t.opening ILIKE ALL ($7::text[]) FROM conversation_turns t
                WHERE t.conversation_id = o.conversation_id
            ))
        """,
        window.start,
        window.end,
        filters.sentiment,
        filters.channel,
        filters.topic,
        filters.min_confidence,
        [f"%{word.rstrip('*')}%" for word in filters.words],
    )
    return rows


async def listed(watched: Watched, filters: InsightFilters, window: Window) -> InsightList:
    return await open_list(watched, filters, window, await read_extent(watched, 1))


async def ask_for_one(watched: Watched) -> None:
    known = await read_versions(watched)
    row = await watched.connection.fetchrow("SELECT * FROM insights LIMIT 1")
    assert await read_conversation(watched, row["conversation_id"], known)
    assert await read_trail(watched, row["conversation_id"], known)
    assert await read_insight(watched, UUID(str(row["insight_id"])), known)
    assert await read_completion(watched, row["insight_id"]) == []
    contents = await watched.connection.fetch("SELECT content_hash FROM insights LIMIT 200")
    pairs = [(one["content_hash"].hex(), VERSION) for one in contents]
    assert len(await read_known_results(watched, pairs, known)) == len(pairs)
    assert (await read_status(watched, known, END))["accepted"] == ROWS
    assert await read_other_versions(watched, None, None) == {VERSION: ROWS}


async def ask_for_trends(watched: Watched) -> None:
    for window in (WEEK, DAY):
        for topic, channel in ((None, None), ("refund", "chat"), ("rare", None)):
            asked = TrendQuestion(1, window, by_day=False, zone=ZoneInfo("UTC"), topic=topic, channel=channel)
            members = await read_trends(watched, asked)
            assert members["total_insights"] == await total_of(watched, CountedCells(1, channel, topic), window)


async def total_of(watched: Watched, cells: CountedCells, window: Window) -> int:
    return (await sentiment_counts(watched, cells, window)).total


async def ask_for_conversations(watched: Watched) -> None:
    for filters in (ConversationFilters(None, None), ConversationFilters("failed", None)):
        rows = await read_conversations(watched, filters, WEEK, LIMIT, None)
        rows += await read_conversations(watched, filters, WEEK, LIMIT, conversation_cursor(rows[-1], WEEK))
        places = [(row["occurred_at"], row["conversation_id"]) for row in rows]
        assert len(set(places)) == 2 * LIMIT
        assert places == sorted(places, reverse=True)
    assert len(await read_conversations(watched, ConversationFilters("completed", "rare"), WEEK, LIMIT, None)) == LIMIT
    assert await read_conversations(watched, ConversationFilters("queued", None), WEEK, LIMIT, None) == []


async def ask_for_the_stream(watched: Watched) -> None:
    assert len(await watched.fetch(stream_sql.STORED_BETWEEN, [0, 3], [9_000, 7], [80_000, 9_000], 500)) == 1_000


async def ask_for_an_export(watched: Watched) -> None:
    for filters in (InsightFilters(1, topic="rare"), InsightFilters(1, words=("unicorn",))):
        found = await listed(watched, filters, WEEK)
        total = await found.total()
        assert len([row async for row in found.stream()]) == total.count


async def ask_for_versions(watched: Watched) -> None:
    standings = await read_standings(watched, END)
    assert (standings.accepted, [one.missing for one in standings.versions]) == (ROWS, [0])
    known = await read_versions(watched)
    assert await count_missing(watched, known.ids[VERSION]) == 0
    assert [page async for page in walk_missing(watched, known.ids[VERSION], BEGINNING)] == []
    hour = await watched.fetch(coverage_sql.WALK, -1, END, END - timedelta(hours=1), "", 1_000)
    assert sum(row["is_missing"] for row in hour) == 1_000
    found = await read_diff(watched, (1, 1), Window(END - timedelta(minutes=10), END), 10)
    assert (found["compared"], found["agreement"]) == (sum(found_in(found)), 1.0)


def found_in(diff: Mapping[str, Any]) -> list[int]:
    return [count for row in diff["sentiments"].values() for count in row.values()]


QUESTIONS: dict[str, tuple[Callable[[Watched], Awaitable[None]], int]] = {
    "one conversation, one insight, the look-up and the status": (ask_for_one, 2_500),
    "trends": (ask_for_trends, 4_000),
    "conversations": (ask_for_conversations, 25_000),
    "the stream": (ask_for_the_stream, 20_000),
    "an export": (ask_for_an_export, 90_000),
    "versions": (ask_for_versions, 40_000),
}


async def keyset_pages_touch_few_buffers_but_their_rows(watched: Watched) -> None:
    """To find a page takes at most ten buffers more than its rows; and ten for each further sentiment of a day."""
    found = await listed(watched, InsightFilters(1), WEEK)
    for order in ORDERS:
        statement = found.routes.in_ranges([WEEK], ORDERS[order], limit=LIMIT)
        if order != "newest":
            statement = found.routes.merged(found.days[3:4], SENTIMENTS, ORDERS[order], limit=LIMIT)
        text = await watched.connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement.outcomes}", *statement.values
        )
        buffers = buffers_of(json.loads(text)[0]["Plan"])
        if buffers > (LIMIT + 10 if order == "newest" else LIMIT + 30):
            watched.problems.append(f"a page, {order}: {buffers} buffers for {LIMIT} rows")
