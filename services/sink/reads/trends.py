"""Trends: what a window holds, bucket by bucket, beside the window before."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from services.sink.reads.counts import CountedCells, SentimentCounts, trend_counts
from services.sink.reads.members import time_text
from services.sink.windows import Window, bucket_starts

_TOP_TOPICS = 20
_NOTHING = SentimentCounts()


@dataclass(frozen=True, slots=True)
class TrendQuestion:
    """What is asked; `version_id` is None for a version that nothing was stored under."""

    version_id: int | None
    window: Window
    by_day: bool
    zone: ZoneInfo
    topic: str | None = None
    channel: str | None = None


async def read_trends(connection: Any, asked: TrendQuestion) -> dict[str, JsonValue]:
    """All members but the window's own. Raises TooManyBuckets."""
    starts = bucket_starts(asked.window, by_day=asked.by_day, zone=asked.zone)
    cells = CountedCells(asked.version_id, asked.channel, asked.topic)
    found = await trend_counts(connection, cells, asked.window, starts, by_day=asked.by_day, most_subjects=_TOP_TOPICS)
    before = asked.window.before()
    return {
        **_summary(_sum(found.buckets)),
        "top_topics": [[subject, total] for subject, total in found.subjects],
        "series": [
            {"start": time_text(start), **_members(found.buckets.get(number, _NOTHING))}
            for number, start in enumerate(starts)
        ],
        "coverage": dict(found.coverage),
        "previous": {
            "start_time": time_text(before.start),
            "end_time": time_text(before.end),
            **_summary(found.previous),
        },
    }


def _sum(buckets: dict[int, SentimentCounts]) -> SentimentCounts:
    found = buckets.values()
    return SentimentCounts(
        sum(one.positive for one in found),
        sum(one.neutral for one in found),
        sum(one.negative for one in found),
        sum(one.score_sum for one in found),
    )


def _summary(counts: SentimentCounts) -> dict[str, JsonValue]:
    return {
        "total_insights": counts.total,
        "sentiment_counts": dict(counts.by_sentiment()),
        "average_sentiment": counts.average,
    }


def _members(counts: SentimentCounts) -> dict[str, JsonValue]:
    return {"total": counts.total, **counts.by_sentiment(), "average_sentiment": counts.average}
