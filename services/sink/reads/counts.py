"""Exact counts over windows: see windows.py for how a window is covered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.sink.reads.filters import InsightFilters
from services.sink.reads.slices import Minute
from services.sink.rows import SCORE_UNIT
from services.sink.sql import counts as sql
from services.sink.sql import pages as pages_sql
from services.sink.windows import Span, Window, spans_of


@dataclass(frozen=True, slots=True)
class SentimentCounts:
    """How many insights of each sentiment, and the sum of their scores in units of 1/SCORE_UNIT."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0
    score_sum: int = 0

    @property
    def total(self) -> int:
        return self.positive + self.neutral + self.negative

    @property
    def average(self) -> float | None:
        """The mean score, -1 to 1; none of nothing."""
        return round(self.score_sum / SCORE_UNIT / self.total, 4) if self.total else None

    def by_sentiment(self) -> dict[str, int]:
        return {"positive": self.positive, "neutral": self.neutral, "negative": self.negative}


def _span_columns(spans: Sequence[Span]) -> list[list[Any]]:
    return [
        [span.bucket for span in spans],
        [int(span.grain) for span in spans],
        [span.start for span in spans],
        [span.end for span in spans],
    ]


async def counts_by_bucket(
    connection: Any, version_id: int, channel: str | None, topic: str | None, spans: Sequence[Span]
) -> dict[int, SentimentCounts]:
    """Counts by the spans' buckets; buckets without insights are left out."""
    rows = await connection.fetch(sql.SENTIMENTS, version_id, channel or "", topic or "", *_span_columns(spans))
    return {
        row["number"]: SentimentCounts(row["positive"], row["neutral"], row["negative"], int(row["score_sum"]))
        for row in rows
    }


async def sentiment_counts(
    connection: Any, version_id: int, channel: str | None, topic: str | None, window: Window
) -> SentimentCounts:
    """Counts of a whole window."""
    spans = spans_of(window, [window.start])
    found = await counts_by_bucket(connection, version_id, channel, topic, spans)
    return found.get(0, SentimentCounts())


async def top_subjects(
    connection: Any, version_id: int, channel: str | None, topic: str | None, window: Window, *, limit: int
) -> list[tuple[str, int]]:
    """The subjects that most insights of the window are about."""
    columns = _span_columns(spans_of(window, [window.start]))
    rows = await connection.fetch(sql.SUBJECTS, version_id, channel or "", topic or "", *columns, limit)
    return [(row["subject"], int(row["total"])) for row in rows]


async def read_coverage(connection: Any, channel: str | None, window: Window) -> dict[str, int]:
    """Where the conversations of the window stand: accepted = the sum of all."""
    columns = _span_columns(spans_of(window, [window.start]))[1:]
    row = await connection.fetchrow(sql.COVERAGE, channel or "", *columns)
    return {name: int(row[name]) for name in ("completed", "skipped", "failed", "in_flight")}


_COUNTED = {None: "positive + neutral + negative", "positive": "positive", "neutral": "neutral", "negative": "negative"}
_STATUSES = ("queued", "processing", "completed", "skipped", "failed")


async def minutes_with(connection: Any, filters: InsightFilters, window: Window, limit: int) -> list[Minute]:
    """The last minutes of a window that hold such insights (but for words and confidence), newest first."""
    query = pages_sql.MINUTES.format(counted=_COUNTED[filters.sentiment])
    cell = (filters.version_id, filters.channel or "", filters.topic or "")
    rows = await connection.fetch(query, *cell, window.start, window.end, limit)
    return [Minute(row["bucket"], row["total"]) for row in rows]


async def minutes_of_conversations(
    connection: Any, channel: str | None, status: str | None, window: Window, limit: int
) -> list[Minute]:
    """The last minutes of a window that hold such conversations, newest first, at most so many."""
    counted = " + ".join(one for one in _STATUSES if status in {None, one})
    query = pages_sql.STATUS_MINUTES.format(counted=counted)
    rows = await connection.fetch(query, channel or "", window.start, window.end, limit)
    return [Minute(row["bucket"], row["total"]) for row in rows]
