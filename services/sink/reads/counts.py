"""Exact counts over windows: see windows.py for how a window is covered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.sink.pieces import Pieces, pieces_of
from services.sink.reads.filters import InsightFilters
from services.sink.reads.members import Row
from services.sink.reads.slices import Minute
from services.sink.rows import SCORE_UNIT
from services.sink.sql import counts as sql
from services.sink.sql import pages as pages_sql
from services.sink.windows import Span, Window, cover


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


@dataclass(frozen=True, slots=True)
class CountedCells:
    """Which insights are counted; None for all channels, all topics, or a version that nothing was stored under."""

    version_id: int | None
    channel: str | None = None
    topic: str | None = None

    @property
    def values(self) -> tuple[int, str, str]:
        """As the statements have them."""
        return (_NO_VERSION if self.version_id is None else self.version_id, self.channel or "", self.topic or "")


@dataclass(frozen=True, slots=True)
class TrendCounts:
    """What trends count: each bucket that holds something, the window before, frequent subjects, and coverage."""

    buckets: dict[int, SentimentCounts]
    previous: SentimentCounts
    subjects: list[tuple[str, int]]
    coverage: dict[str, int]
    """Where the conversations of the window stand: accepted = the sum of all."""


_NO_VERSION = 0
_PREVIOUS, _WHOLE = -1, -2
"""Numbers of what is no bucket: the window before, and the whole window."""


def _span_columns(spans: Sequence[Span]) -> list[list[Any]]:
    return [
        [span.bucket for span in spans],
        [int(span.grain) for span in spans],
        [span.sign for span in spans],
        [span.start for span in spans],
        [span.end for span in spans],
    ]


async def sentiment_counts(connection: Any, cells: CountedCells, window: Window) -> SentimentCounts:
    """Counts of a whole window."""
    columns = _span_columns(list(cover(window.start, window.end)))
    return _counts_of(await connection.fetchrow(sql.SENTIMENTS, *cells.values, *columns))


def _counts_of(row: Row) -> SentimentCounts:
    return SentimentCounts(row["positive"], row["neutral"], row["negative"], row["score_sum"])


async def trend_counts(
    connection: Any,
    cells: CountedCells,
    window: Window,
    starts: Sequence[datetime],
    *,
    by_day: bool,
    most_subjects: int,
) -> TrendCounts:
    """Counts of a window by buckets that start then, of the window before, and what most of it is about.

    `by_day`: whether most buckets have about a day, rather than an hour.
    """
    before = window.before()
    pieces = pieces_of(window, starts, by_day=by_day)
    pieces.add(before.start, before.end, {_PREVIOUS: 1})
    spans = [*pieces.spans, *cover(window.start, window.end, _WHOLE)]
    stretch = pieces.stretch
    await connection.fetchval(sql.PLANNED_ONCE)
    rows = await connection.fetch(
        sql.TRENDS,
        *cells.values,
        *_span_columns(spans),
        _WHOLE,
        most_subjects,
        int(pieces.grain),
        stretch.start,
        stretch.end,
    )
    buckets = _buckets_of(rows, pieces)
    (stand,) = (row for row in rows if row["what"] == "coverage")
    return TrendCounts(
        previous=buckets.pop(_PREVIOUS, SentimentCounts()),
        buckets=buckets,
        subjects=[(row["subject"], row["positive"]) for row in rows if row["what"] == "subject"],
        coverage=dict(
            zip(("completed", "skipped", "failed", "in_flight"), (stand[name] for name in _NUMBERS), strict=True)
        ),
    )


def _buckets_of(rows: Sequence[Any], pieces: Pieces) -> dict[int, SentimentCounts]:
    """Those of the buckets that hold something."""
    sums: dict[int, tuple[int, int, int, int]] = {}
    for what, _, _, positive, neutral, negative, score_sum, start in rows:
        # Of the stretch of cells some may be counted in pieces.
        if what == "cell" and (bucket := pieces.cells.get(start)) is not None:
            sums[bucket] = (positive, neutral, negative, score_sum)
    for what, number, _, positive, neutral, negative, score_sum, _ in rows:
        if what != "piece":
            continue
        for bucket, sign in pieces.shares[number]:
            old = sums.get(bucket, (0, 0, 0, 0))
            sums[bucket] = (
                old[0] + sign * positive,
                old[1] + sign * neutral,
                old[2] + sign * negative,
                old[3] + sign * score_sum,
            )
    return {bucket: SentimentCounts(*counted) for bucket, counted in sums.items() if any(counted[:3])}


_NUMBERS = ("positive", "neutral", "negative", "score_sum")
"""The columns of numbers, whatever they count."""
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
