"""Statements of a list of insights, one for each route to its rows; `reads/pages.py` chooses. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.sink.cursors import Cursor
from services.sink.reads.conditions import Conditions
from services.sink.reads.filters import NEWEST, InsightFilters, Order, add_window, conditions_of, later, range_parts
from services.sink.reads.stretches import WHOLE, Stretch
from services.sink.reads.words import SearchedWords
from services.sink.sql import pages as sql
from services.sink.windows import Window

SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL for outcomes in an order, and its bound values."""

    outcomes: str
    order: Order
    values: Sequence[Any]

    @property
    def insights(self) -> str:
        """The outcomes with all that is shown of them."""
        return sql.INSIGHTS.format(sort=f"o.{self.order.column}", outcomes=self.outcomes, order=self.order.sql)

    @property
    def count(self) -> str:
        """How many outcomes there are, up to the limit, in whatever order they are found."""
        return sql.COUNT.format(outcomes=self.outcomes.replace(f"ORDER BY {self.order.sql}", ""))


@dataclass(frozen=True, slots=True)
class Routes:
    """The statements for what is asked."""

    filters: InsightFilters
    window: Window
    words: SearchedWords | None = None

    def in_ranges(
        self, ranges: Sequence[Window], order: Order = NEWEST, *, limit: int | None, after: Cursor | None = None
    ) -> Statement:
        """Row by row through ranges of time."""
        conditions = conditions_of(self.filters)
        self._add_says(conditions)
        text, last = str(conditions), conditions.bind(limit)
        if order is NEWEST:
            template, parts = range_parts(conditions, ranges, after, last)
        else:
            template, parts = range_parts(conditions, ranges, None, "NULL", is_sorted_apart=True)
        parts["later"] = later(conditions, order, after) if order is not NEWEST else "true"
        outcomes = sql.OUTCOMES_BY_TIME[template].format(conditions=text, order=order.sql, limit=last, **parts)
        return Statement(outcomes, order, conditions.values)

    def merged(
        self,
        days: Sequence[datetime],
        sentiments: Sequence[str],
        order: Order,
        stretch: Stretch = WHOLE,
        *,
        limit: int,
        after: Cursor | None = None,
    ) -> Statement:
        """The first of days and sentiments, from the order's own index, within a stretch of its values."""
        conditions = self._conditions(order, after)
        if stretch.low is not None:
            conditions.add(f"o.{order.column} >= {{low}}", low=stretch.low)
        if stretch.high is not None:
            conditions.add(f"o.{order.column} < {{high}}", high=stretch.high)
        self._add_says(conditions)
        text, last = str(conditions), conditions.bind(limit)
        names = [conditions.bind(name) for name in sentiments]
        of_days = [
            sql.OUTCOMES_OF_DAY.format(conditions=text, day=day, sentiment=name, order=order.sql)
            for day in map(conditions.bind, days)
            for name in names
        ]
        outcomes = sql.OUTCOMES_MERGED.format(days=" UNION ALL ".join(of_days), order=order.sql, limit=last)
        return Statement(outcomes, order, conditions.values)

    def confident(
        self, days: Sequence[datetime], order: Order = NEWEST, *, limit: int | None, after: Cursor | None = None
    ) -> Statement:
        """All of each day and sentiment that are sure enough, from the index of confidence."""
        conditions = self._conditions(order, after)
        return self._statement(
            sql.OUTCOMES_BY_DAYS,
            conditions,
            order,
            limit=conditions.bind(limit),
            **_bind_days(conditions, days, self.sentiments),
        )

    def saying(self, order: Order = NEWEST, *, limit: int | None, after: Cursor | None = None) -> Statement:
        """From the index of words."""
        assert self.words is not None
        conditions = self._conditions(order, after)
        return self._statement(
            sql.OUTCOMES_SAYING,
            conditions,
            order,
            limit=conditions.bind(limit),
            words=conditions.bind(self.words.query),
        )

    def count_confident(self, days: Sequence[datetime], limit: int) -> tuple[str, Sequence[Any]]:
        """How many of these days are sure enough, whatever else they are, counted up to a limit."""
        sure = InsightFilters(self.filters.version_id, min_confidence=self.filters.min_confidence)
        conditions = conditions_of(sure)
        add_window(conditions, self.window)
        bound = conditions.bind(limit)
        query = sql.CONFIDENT.format(conditions=conditions, limit=bound, **_bind_days(conditions, days, SENTIMENTS))
        return query, conditions.values

    @property
    def sentiments(self) -> Sequence[str]:
        """Those that are asked for."""
        return SENTIMENTS if self.filters.sentiment is None else (self.filters.sentiment,)

    def _conditions(self, order: Order, after: Cursor | None) -> Conditions:
        conditions = conditions_of(self.filters)
        add_window(conditions, self.window)
        if after is not None:
            conditions.add_text(later(conditions, order, after))
        return conditions

    def _add_says(self, conditions: Conditions) -> None:
        if self.words is not None:
            conditions.add(sql.SAYS, patterns=list(self.words.patterns), words=self.words.query)

    @staticmethod
    def _statement(template: str, conditions: Conditions, order: Order, **bound: str) -> Statement:
        text = template.format(conditions=conditions, order=order.sql, **bound)
        return Statement(text, order, conditions.values)


def _bind_days(conditions: Conditions, days: Sequence[datetime], sentiments: Sequence[str]) -> dict[str, str]:
    return {"days": conditions.bind(list(days)), "sentiments": conditions.bind(list(sentiments))}
