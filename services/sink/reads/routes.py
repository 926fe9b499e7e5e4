"""Statements of a list of insights, one for each route to its rows; `reads/pages.py` chooses. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.sink.cursors import Cursor
from services.sink.reads.conditions import Conditions
from services.sink.reads.filters import NEWEST, InsightFilters, Order, add_after, conditions_of
from services.sink.reads.words import SearchedWords
from services.sink.sql import pages as sql
from services.sink.windows import Window


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
        conditions = self._conditions(order, after)
        self._add_says(conditions)
        return self._statement(
            sql.OUTCOMES_IN_RANGES,
            conditions,
            order,
            limit=conditions.bind(limit),
            lows=conditions.bind([one.start for one in ranges]),
            highs=conditions.bind([one.end for one in ranges]),
        )

    def by_days(self, days: Sequence[datetime], order: Order, *, limit: int, after: Cursor | None = None) -> Statement:
        """The first of each day, from the order's own index."""
        conditions = self._conditions(order, after)
        self._add_says(conditions)
        bound = conditions.bind(limit)
        return self._statement(
            sql.OUTCOMES_BY_DAYS,
            conditions,
            order,
            limit=bound,
            inner_order=order.sql,
            inner_limit=bound,
            days=conditions.bind(list(days)),
        )

    def confident(
        self, days: Sequence[datetime], order: Order = NEWEST, *, limit: int | None, after: Cursor | None = None
    ) -> Statement:
        """All of each day that are sure enough, from the index of confidence."""
        conditions = self._conditions(order, after)
        return self._statement(
            sql.OUTCOMES_BY_DAYS,
            conditions,
            order,
            limit=conditions.bind(limit),
            inner_order="o.confidence DESC",
            inner_limit="NULL",
            days=conditions.bind(list(days)),
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
        conditions = conditions_of(sure, self.window)
        bound = {"limit": conditions.bind(limit), "days": conditions.bind(list(days))}
        return sql.CONFIDENT.format(conditions=conditions, **bound), conditions.values

    def _conditions(self, order: Order, after: Cursor | None) -> Conditions:
        conditions = conditions_of(self.filters, self.window)
        if after is not None:
            add_after(conditions, order, after)
        return conditions

    def _add_says(self, conditions: Conditions) -> None:
        if self.words is not None:
            conditions.add(sql.SAYS, patterns=list(self.words.patterns), words=self.words.query)

    @staticmethod
    def _statement(template: str, conditions: Conditions, order: Order, **bound: str) -> Statement:
        text = template.format(conditions=conditions, order=order.sql, **bound)
        return Statement(text, order, conditions.values)
