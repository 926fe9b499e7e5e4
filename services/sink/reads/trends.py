"""Trends: what a window holds, bucket by bucket, beside the window before."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from services.sink.reads.counts import (
    SentimentCounts,
    counts_by_bucket,
    read_coverage,
    sentiment_counts,
    top_subjects,
)
from services.sink.reads.members import time_text
from services.sink.windows import Window, bucket_starts, spans_of

_TOP_TOPICS = 20


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
    if asked.version_id is None:
        buckets: dict[int, SentimentCounts] = {}
        topics: list[tuple[str, int]] = []
        previous = SentimentCounts()
    else:
        version_id = asked.version_id
        spans = spans_of(asked.window, starts)
        buckets = await counts_by_bucket(connection, version_id, asked.channel, asked.topic, spans)
        topics = await top_subjects(connection, version_id, asked.channel, asked.topic, asked.window, limit=_TOP_TOPICS)
        previous = await sentiment_counts(connection, version_id, asked.channel, asked.topic, asked.window.before())
    series = [
        {"start": time_text(start), **_members(buckets.get(number, SentimentCounts()))}
        for number, start in enumerate(starts)
    ]
    coverage = await read_coverage(connection, asked.channel, asked.window)
    before = asked.window.before()
    return {
        **_summary(_sum(buckets)),
        "top_topics": [[subject, total] for subject, total in topics],
        "series": list(series),
        "coverage": dict(coverage),
        "previous": {"start_time": time_text(before.start), "end_time": time_text(before.end), **_summary(previous)},
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
