"""Which insights are asked for, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from services.sink.cursors import Cursor, moment_of
from services.sink.reads.conditions import Conditions
from services.sink.windows import Window


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
        """Whether rollups alone count what matches."""
        return self.min_confidence is None and not self.words

    @property
    def are_narrow(self) -> bool:
        """Whether rollups lead to what matches better than the window alone."""
        return not (self.sentiment is None and self.topic is None and self.channel is None)


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by a column, then by conversation, both in one direction."""

    column: str
    is_descending: bool

    @property
    def sql(self) -> str:
        direction = "DESC" if self.is_descending else "ASC"
        return f"o.{self.column} {direction}, o.conversation_id {direction}"


RangeTemplate = Literal["range", "ranges"]
NEWEST = Order("occurred_at", is_descending=True)
ORDERS = {
    "newest": NEWEST,
    "most_negative": Order("score", is_descending=False),
    "least_confident": Order("confidence", is_descending=False),
}


def conditions_of(filters: InsightFilters) -> Conditions:
    """What every row of a list must be, but for its time and its words."""
    conditions = Conditions()
    conditions.add("o.version_id = {version} AND o.insight_id IS NOT NULL", version=filters.version_id)
    if filters.sentiment is not None:
        conditions.add("o.sentiment = {sentiment}::text::sentiment", sentiment=filters.sentiment)
    if filters.topic is not None:
        conditions.add("{topic} = ANY (o.topics)", topic=filters.topic)
    if filters.channel is not None:
        conditions.add("o.channel = {channel}", channel=filters.channel)
    if filters.min_confidence is not None:
        conditions.add("o.confidence >= {confidence}", confidence=filters.min_confidence)
    return conditions


def add_window(conditions: Conditions, window: Window) -> None:
    """Only what is in the window."""
    conditions.add("o.occurred_at >= {start} AND o.occurred_at < {end}", start=window.start, end=window.end)


def later(conditions: Conditions, order: Order, after: Cursor | None) -> str:
    """The condition that a row follows the cursor's; its values are bound."""
    if after is None:
        return "true"
    comparison = "<" if order.is_descending else ">"
    value = conditions.bind(moment_of(int(after.after)) if order is NEWEST else after.after)
    return f"(o.{order.column}, o.conversation_id) {comparison} ({value}, {conditions.bind(after.conversation_id)})"


def range_parts(
    conditions: Conditions,
    ranges: Sequence[Window],
    after: Cursor | None,
    last: str,
    *,
    is_sorted_apart: bool = False,
) -> tuple[RangeTemplate, dict[str, str]]:
    """Which statement reads the ranges, and what it binds; `last` is how many rows of each are wanted.

    Ranges come newest first, and the newest one is cut by the cursor's row.
    """
    ends = [(one.end, "") for one in ranges]
    if after is not None and ends:
        ends[0] = min(ends[0], (moment_of(int(after.after)), after.conversation_id))
    if len(ranges) == 1 and not is_sorted_apart:
        high, conversation_id = ends[0]
        bounds = {"low": ranges[0].start, "high": high, "id": conversation_id}
        return "range", {name: conditions.bind(value) for name, value in bounds.items()}
    columns = {
        "lows": [one.start for one in ranges],
        "highs": [moment for moment, _ in ends],
        "ids": [conversation_id for _, conversation_id in ends],
    }
    return "ranges", {"inner_limit": last} | {name: conditions.bind(column) for name, column in columns.items()}


def cut(window: Window, after: Cursor | None) -> Window:
    """What of the window can follow the cursor's row, or its moment where no row is named."""
    if after is None:
        return window
    rest = timedelta(microseconds=1 if after.conversation_id else 0)
    return Window(window.start, min(window.end, moment_of(int(after.after)) + rest))
