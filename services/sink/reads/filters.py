"""Which insights are asked for, and in which order."""

from dataclasses import dataclass

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


NEWEST = Order("occurred_at", is_descending=True)
ORDERS = {
    "newest": NEWEST,
    "most_negative": Order("score", is_descending=False),
    "least_confident": Order("confidence", is_descending=False),
}


def conditions_of(filters: InsightFilters, window: Window) -> Conditions:
    """What every row of a list must be, but for its words."""
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
    return conditions


def add_after(conditions: Conditions, order: Order, after: Cursor) -> None:
    """Only what follows a page."""
    comparison = "<" if order.is_descending else ">"
    conditions.add(
        f"(o.{order.column}, o.conversation_id) {comparison} ({{value}}, {{conversation_id}})",
        value=moment_of(int(after.after)) if order is NEWEST else after.after,
        conversation_id=after.conversation_id,
    )
