"""Lists of insights: totals, pages and files, each by the route whose work is bounded.

The choice rests on exact counts from rollups. The newest are read through the minutes that hold what is asked for;
rare words come from the index of words; other orders sort what is few, and merge the first of each day of what is many.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from services.sink.cursors import Cursor, micros_of
from services.sink.reads.counts import CountedCells, minutes_with, sentiment_counts
from services.sink.reads.filters import NEWEST, InsightFilters, Order, cut
from services.sink.reads.members import Row
from services.sink.reads.routes import Routes, Statement
from services.sink.reads.slices import slices
from services.sink.reads.stretches import WHOLE, Found, Patience, Stretch, Stretches
from services.sink.reads.totals import COUNTED_UP_TO, Total, counted, counted_slowly, counted_with_patience
from services.sink.reads.words import read_words
from services.sink.sql import pages as sql
from services.sink.windows import Window, days_of

_SURE_AT_MOST = 40_000
"""At most so many are read by their confidence."""
_SORTED_AT_MOST = 10_000
"""At most so many rows are read whole and sorted; of more, the first of each day come from an index."""
_MINUTES_OF_A_DAY = 24 * 60
_DAYS_AT_ONCE = 60
"""Days of one statement: to plan for more takes longer than to ask twice."""
_STREAM_ROWS = 500
_SLICE_ROWS = 5_000
_ASKED_AT_ONCE = 20_000
"""Rows of one statement that are asked for their words or confidence: half a second."""
_NOT_ALL_MATCH = 4
"""Where rollups do not know all filters, each slice is so much larger than the one before."""


@dataclass(frozen=True, slots=True)
class InsightList:
    """A list that was asked for, and what is known of it before a row is read."""

    connection: Any
    routes: Routes
    rows: int
    """How many there are but for words and confidence: exact."""
    days: Sequence[datetime]
    """Those of the window that may hold insights."""
    by_sentiment: Mapping[str, int] = field(default_factory=dict)
    """How many of the rows are of each sentiment."""
    sure: int | None = None
    """How many are as sure as is asked, counted up to a bound and but for other filters; None when words are asked."""

    @property
    def filters(self) -> InsightFilters:
        return self.routes.filters

    async def total(self) -> Total:
        """Exact at any size for filters by time, sentiment, topic, channel and version; else counted up to a bound."""
        if self.rows == 0 or self.filters.are_in_rollups:
            return Total(self.rows)
        limit = COUNTED_UP_TO + 1
        if self._says_rare_words(limit):
            by_words = await counted_with_patience(self.connection, self.routes.saying(limit=limit))
            return by_words or await self._counted_slowly(limit)
        if self.sure is None:
            return await self._counted_slowly(limit)
        if not self.filters.are_narrow:
            return Total(min(self.sure, COUNTED_UP_TO), is_exact=self.sure <= COUNTED_UP_TO)
        return await (
            counted(self.connection, self.routes.confident(self.days, limit=limit))
            if self._are_few_sure
            else self._counted_slowly(limit)
        )

    async def _counted_slowly(self, limit: int) -> Total:
        ranges = self._slices(self.routes.window, _SLICE_ROWS, growth=1)
        return await counted_slowly(self.connection, self.routes, ranges, limit)

    async def page(self, order: Order, *, limit: int, after: Cursor | None, total: Total) -> Found:
        """At most `limit` rows that follow the cursor's; `sort_value` is what a cursor carries."""
        if total.is_exact and total.count == 0:
            return Found([])
        if self._is_by_words(limit if order is NEWEST else limit + len(self.days), total):
            return Found(await self._fetch(self.routes.saying(order, limit=limit, after=after)))
        if self._are_few_sure:
            return Found(await self._fetch(self.routes.confident(self.days, order, limit=limit, after=after)))
        if order is NEWEST:
            return await self._newest(limit, after)
        return await self._in_order(order, limit, after)

    def _is_by_words(self, wanted: int, total: Total) -> bool:
        """What was counted by words is few: reading them is no dearer, whatever the planner had believed."""
        return self._says_rare_words(wanted) or (total.is_exact and self._says_rare_words(COUNTED_UP_TO + 1))

    async def _in_order(self, order: Order, limit: int, after: Cursor | None) -> Found:
        """Sentiment by sentiment by the sooner route: a topic that is frequent may have hardly a negative insight."""
        sorted_ones = [one for one in await self._sorted_sooner(limit) if self.by_sentiment[one]]
        others = [one for one in self.routes.sentiments if self.by_sentiment[one] and one not in sorted_ones]
        rows, goes_on_at = await self._merged(others, order, limit, after) if others else Found([])
        for sentiment in sorted_ones:
            rows += await self._of(sentiment)._sorted(order, limit, after)  # noqa: SLF001 - a part of this list
        rows.sort(key=lambda row: (row["sort_value"], row["conversation_id"]), reverse=order.is_descending)
        return Found([row for row in rows[:limit] if goes_on_at is None or row["sort_value"] < goes_on_at], goes_on_at)

    async def _sorted_sooner(self, limit: int) -> list[str]:
        """The sentiments of which all that match are read and sorted sooner than the first are found in their order.

        The first reads every row of the minutes that hold a match; the second reads, for each row it shows and the
        first of each day, as many as there are for each that matches.
        """
        filters, days = self.filters, len(self.days)
        few = [one for one in self.routes.sentiments if self.by_sentiment[one] <= _SORTED_AT_MOST]
        if not few or not self.filters.are_narrow:
            return few if self.rows <= _SORTED_AT_MOST else []
        counts = await sentiment_counts(self.connection, CountedCells(filters.version_id), self.routes.window)
        in_order = counts.by_sentiment()
        return [
            one
            for one in few
            if self.by_sentiment[one] * min(counts.total / (days * _MINUTES_OF_A_DAY), counts.total)
            <= min((limit + days) * in_order[one] / max(1, self.by_sentiment[one]), in_order[one])
        ]

    def _of(self, sentiment: str) -> "InsightList":
        """The part of the list with this sentiment."""
        routes = replace(self.routes, filters=replace(self.filters, sentiment=sentiment))
        return replace(self, routes=routes, rows=self.by_sentiment[sentiment])

    async def _sorted(self, order: Order, limit: int, after: Cursor | None) -> list[Row]:
        ranges = [one async for some in self._slices(self.routes.window, self.rows) for one in some]
        return await self._fetch_unsorted([self.routes.in_ranges(ranges, order, limit=limit, after=after)])

    async def _newest(self, limit: int, after: Cursor | None) -> Found:
        window = cut(self.routes.window, after)
        if self.filters.are_in_rollups and not self.filters.are_narrow:
            return Found(await self._fetch(self.routes.in_ranges([window], limit=limit, after=after)))
        rows: list[Row] = []
        words, patience = self.routes.words, Patience()
        async for ranges in self._slices(window, words.rows_until(limit) if words else limit):
            rows += await self._fetch(self.routes.in_ranges(ranges, limit=limit - len(rows), after=after))
            after = None  # it cuts the newest range only
            if len(rows) >= limit:
                break
            if patience.is_over and ranges[-1].start > window.start:
                return Found(rows, micros_of(ranges[-1].start))
        return Found(rows)

    async def stream(self) -> AsyncIterator[Row]:
        """All that match, newest first, by cursors of the server: memory stays the same however many there are."""
        if self.rows == 0:
            return
        if self._says_rare_words(self.rows):
            async for row in self._cursor(self.routes.saying(limit=None)):
                yield row
            return
        async for ranges in self._slices(self.routes.window, _SLICE_ROWS, growth=1):
            async for row in self._cursor(self.routes.in_ranges(ranges, limit=None)):
                yield row

    def _says_rare_words(self, wanted: int) -> bool:
        return self.routes.words is not None and self.routes.words.are_rare(self.rows, wanted)

    @property
    def _are_few_sure(self) -> bool:
        return self.sure is not None and self.sure <= _SURE_AT_MOST

    def _slices(self, window: Window, rows: int, *, growth: int = _NOT_ALL_MATCH) -> AsyncIterator[list[Window]]:
        read = partial(minutes_with, self.connection, self.filters)
        return slices(read, window, rows, growth=1 if self.filters.are_in_rollups else growth, most=_ASKED_AT_ONCE)

    async def _fetch(self, statement: Statement) -> list[Row]:
        rows: list[Row] = await self.connection.fetch(statement.insights, *statement.values)
        return rows

    async def _merged(self, sentiments: Sequence[str], order: Order, limit: int, after: Cursor | None) -> Found:
        """From the index of the order; where not all rows match, stretch by stretch."""
        if self.filters.are_in_rollups and self.filters.topic is None and self.filters.channel is None:
            return Found(await self._merged_of(sentiments, order, WHOLE, limit, after))
        rows: list[Row] = []
        patience = Patience()
        for stretch in Stretches(order, after.after if after else None, patience):
            rows += await self._merged_of(sentiments, order, stretch, limit - len(rows), after)
            if len(rows) >= limit:
                break
            if patience.is_over and stretch.high is not None:
                return Found(rows, stretch.high)
        return Found(rows)

    async def _merged_of(
        self, sentiments: Sequence[str], order: Order, stretch: Stretch, limit: int, after: Cursor | None
    ) -> list[Row]:
        parts = [self.days[low : low + _DAYS_AT_ONCE] for low in range(0, len(self.days), _DAYS_AT_ONCE)]
        rows = await self._fetch_unsorted(
            [self.routes.merged(days, sentiments, order, stretch, limit=limit, after=after) for days in parts]
        )
        if len(parts) > 1:
            rows.sort(key=lambda row: (row["sort_value"], row["conversation_id"]), reverse=order.is_descending)
        return rows[:limit]

    async def _fetch_unsorted(self, statements: Sequence[Statement]) -> list[Row]:
        """What each range or day begins with comes from the index that has its order, whatever else the planner likes.

        It would take one that it thinks it can skip through, and read it whole once a range.
        """
        await self.connection.fetchval(sql.SORTING, "off")
        rows = [row for statement in statements for row in await self._fetch(statement)]
        await self.connection.fetchval(sql.SORTING, "on")
        return rows

    def _cursor(self, statement: Statement) -> AsyncIterator[Row]:
        cursor: AsyncIterator[Row] = self.connection.cursor(
            statement.insights, *statement.values, prefetch=_STREAM_ROWS
        )
        return cursor


async def open_list(connection: Any, filters: InsightFilters, window: Window, extent: Window | None) -> InsightList:
    """Look at what the rollups and the planner know; `extent` is where the version has insights."""
    if filters.version_id is None or extent is None:
        return InsightList(connection, Routes(filters, window), 0, ())
    days = days_of(Window(max(window.start, extent.start), min(window.end, extent.end)))
    cells = CountedCells(filters.version_id, filters.channel, filters.topic)
    counts = (await sentiment_counts(connection, cells, window)).by_sentiment()
    routes = Routes(filters, window)
    rows = sum(counts[one] for one in routes.sentiments)
    found = InsightList(connection, routes, rows, days, counts)
    if rows and filters.words:
        words = await read_words(connection, filters.words)
        return replace(found, routes=replace(routes, words=words), rows=0 if words is None else rows)
    if rows and filters.min_confidence is not None:
        query, values = routes.count_confident(days, _SURE_AT_MOST + 1)
        return replace(found, sure=await connection.fetchval(query, *values))
    return found


def cursor_after(row: Row, window: Window) -> Cursor:
    """The cursor of the page that follows this row."""
    value = row["sort_value"]
    after = value if isinstance(value, int | float) else micros_of(value)
    return Cursor(window, after, row["conversation_id"])
