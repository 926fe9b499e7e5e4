"""Insights: pages, exact totals, one by its id."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import to_json

from services.sink.cursors import Cursor, micros_of, moment_of
from services.sink.reads.conditions import Conditions
from services.sink.reads.counts import sentiment_counts
from services.sink.reads.members import Row, full_insight_members, time_text
from services.sink.sql import reads as sql
from services.sink.versions import KnownVersions
from services.sink.windows import Window

COUNTED_UP_TO = 10_000
"""How far matches are counted for filters that no rollup covers."""
_STREAM_ROWS = 500


@dataclass(frozen=True, slots=True)
class InsightFilters:
    """Which insights are asked for; `version_id` is None for a version that nothing was stored under."""

    version_id: int | None
    sentiment: str | None = None
    topic: str | None = None
    channel: str | None = None
    min_confidence: float | None = None
    words: tuple[str, ...] = ()

    @property
    def are_in_rollups(self) -> bool:
        """Whether totals come from rollups."""
        return self.min_confidence is None and not self.words


@dataclass(frozen=True, slots=True)
class Order:
    """How a page is sorted: by a column, then by conversation, both in one direction."""

    column: str
    is_descending: bool

    @property
    def sql(self) -> str:
        direction = "DESC" if self.is_descending else "ASC"
        return f"o.{self.column} {direction}, o.conversation_id {direction}"


ORDERS = {
    "newest": Order("occurred_at", is_descending=True),
    "most_negative": Order("score", is_descending=False),
    "least_confident": Order("confidence", is_descending=False),
}


@dataclass(frozen=True, slots=True)
class Total:
    """How many match; when it is not exact, there are more than this."""

    count: int
    is_exact: bool = True


def _conditions(filters: InsightFilters, window: Window) -> Conditions:
    conditions = Conditions()
    conditions.add("o.version_id = {version} AND o.insight_id IS NOT NULL", version=filters.version_id)
    conditions.add("o.occurred_at >= {start} AND o.occurred_at < {end}", start=window.start, end=window.end)
    if filters.sentiment is not None:
        conditions.add("o.sentiment = {sentiment}::text::sentiment", sentiment=filters.sentiment)
    if filters.topic is not None:
        conditions.add("{topic} = ANY (o.topics)", topic=filters.topic)
    if filters.channel is not None:
        conditions.add("o.channel = {channel}", channel=filters.channel)
    if filters.min_confidence is not None:
        conditions.add("o.confidence >= {confidence}", confidence=filters.min_confidence)
    if filters.words:
        in_json = [to_json(word).decode()[1:-1] for word in filters.words]
        conditions.add(
            sql.SAYS_ALL,
            escaped=[_pattern(word) for word in in_json],
            patterns=[_pattern(word) for word in filters.words],
        )
    return conditions


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def read_page(
    connection: Any, filters: InsightFilters, window: Window, order_name: str, *, limit: int, after: Cursor | None
) -> list[Row]:
    """At most `limit` rows that follow the cursor's; `sort_value` is what a cursor carries."""
    if filters.version_id is None:
        return []
    query, values = page_query(filters, window, ORDERS[order_name], limit=limit, after=after)
    rows: list[Row] = await connection.fetch(query, *values)
    return rows


def page_query(
    filters: InsightFilters, window: Window, order: Order, *, limit: int | None, after: Cursor | None
) -> tuple[str, list[Any]]:
    """The query of a page and its values; no limit asks for all rows."""
    conditions = _conditions(filters, window)
    if after is not None:
        comparison = "<" if order.is_descending else ">"
        value = moment_of(int(after.after)) if order.column == "occurred_at" else after.after
        conditions.add(
            f"(o.{order.column}, o.conversation_id) {comparison} ({{value}}, {{conversation_id}})",
            value=value,
            conversation_id=after.conversation_id,
        )
    query = sql.INSIGHT_PAGE.format(
        sort=f"o.{order.column}", conditions=conditions, order=order.sql, limit=conditions.bind(limit)
    )
    return query, conditions.values


async def stream_insights(connection: Any, filters: InsightFilters, window: Window) -> AsyncIterator[Row]:
    """All that match, newest first, by a cursor of the server: memory stays the same however many there are."""
    if filters.version_id is None:
        return
    query, values = page_query(filters, window, ORDERS["newest"], limit=None, after=None)
    async for row in connection.cursor(query, *values, prefetch=_STREAM_ROWS):
        yield row


def cursor_after(row: Row, window: Window) -> Cursor:
    """The cursor of the page that follows this row."""
    value = row["sort_value"]
    after = value if isinstance(value, int | float) else micros_of(value)
    return Cursor(window, after, row["conversation_id"])


async def count_matches(connection: Any, filters: InsightFilters, window: Window) -> Total:
    """Exact at any size for filters by time, sentiment, topic, channel and version; else counted up to a bound."""
    if filters.version_id is None:
        return Total(0)
    if filters.are_in_rollups:
        counts = await sentiment_counts(connection, filters.version_id, filters.channel, filters.topic, window)
        by_sentiment = counts.by_sentiment()
        return Total(by_sentiment[filters.sentiment] if filters.sentiment else counts.total)
    conditions = _conditions(filters, window)
    query = sql.COUNT_UP_TO.format(conditions=conditions, limit=conditions.bind(COUNTED_UP_TO + 1))
    counted = await connection.fetchval(query, *conditions.values)
    return Total(min(counted, COUNTED_UP_TO), is_exact=counted <= COUNTED_UP_TO)


async def read_available(connection: Any, version_id: int | None) -> dict[str, JsonValue]:
    """Where the data is: the first and the last time under this version."""
    row = None if version_id is None else await connection.fetchrow(sql.AVAILABLE, version_id)
    if row is None:
        return {"earliest": None, "latest": None}
    return {"earliest": time_text(row["earliest"]), "latest": time_text(row["latest"])}


async def read_other_versions(
    connection: Any, version_id: int | None, available: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """How many insights there are under other versions, when there is none under this one: else nothing."""
    if available["earliest"] is not None:
        return {}
    return {row["name"]: row["total"] for row in await connection.fetch(sql.OTHER_VERSIONS, version_id)}


async def read_insight(connection: Any, insight_id: UUID, versions: KnownVersions) -> dict[str, JsonValue] | None:
    """One insight with how it came about, current or not."""
    row = await connection.fetchrow(sql.INSIGHT, insight_id)
    if row is None:
        return None
    members = full_insight_members(row, versions.name_of(row["version_id"]))
    return {**members, "is_current": row["is_current"]}


async def read_completion(connection: Any, insight_id: UUID) -> list[Row]:
    """The raw completion of the insight's call, by conversation."""
    rows: list[Row] = await connection.fetch(sql.COMPLETION, insight_id)
    return rows
