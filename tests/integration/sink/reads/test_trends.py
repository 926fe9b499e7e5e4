"""Trends and the status."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from schemas.insight_produced import InsightProduced
from tests.integration.sink.reads.reading import (
    COUNT,
    FIRST,
    WHOLE,
    get,
    matching,
    some_questions,
)


async def test_trends_count_what_insights_list(client: httpx.AsyncClient, known: list[InsightProduced]) -> None:
    for asked in some_questions():
        filters = {name: asked.get(name) for name in ("start_time", "end_time", "topic", "channel")}
        for bucket, zone in (("hour", "UTC"), ("day", "Asia/Kolkata"), ("day", "Europe/Berlin")):
            answer = await get(client, "/api/v1/trends", **filters, bucket=bucket, tz=zone)
            expected = matching(known, {name: value for name, value in filters.items() if value})
            assert answer["total_insights"] == len(expected)
            for name, count in answer["sentiment_counts"].items():
                assert count == sum(one.sentiment.value == name for one in expected)
            if expected:
                mean = sum(one.sentiment_score for one in expected) / len(expected)
                assert answer["average_sentiment"] == pytest.approx(mean, abs=1e-4)
            topics = {topic for one in expected for topic in one.topics if asked.get("topic") in {None, topic}}
            assert dict(answer["top_topics"]) == {
                topic: sum(topic in one.topics for one in expected) for topic in topics
            }
            assert sum(one["total"] for one in answer["series"]) == len(expected)


async def test_buckets_of_days_are_days_of_the_zone(client: httpx.AsyncClient, known: list[InsightProduced]) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    answer = await get(client, "/api/v1/trends", **WHOLE, bucket="day", tz="Asia/Kolkata")
    for bucket in answer["series"]:
        day = datetime.fromisoformat(bucket["start"]).astimezone(kolkata).date()
        assert bucket["total"] == sum(one.occurred_at.astimezone(kolkata).date() == day for one in known)


async def test_coverage_accounts_for_every_accepted_conversation(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/trends", **WHOLE)
    assert answer["coverage"] == {"completed": COUNT, "skipped": 1, "failed": 1, "in_flight": 1}
    mail = await get(client, "/api/v1/trends", **WHOLE, channel="mail")
    assert mail["coverage"]["completed"] == mail["total_insights"]


async def test_the_window_before_is_told_beside(client: httpx.AsyncClient, known: list[InsightProduced]) -> None:
    middle = FIRST + timedelta(days=1, minutes=7)
    answer = await get(
        client, "/api/v1/trends", start_time=middle.isoformat(), end_time=(middle + timedelta(hours=20)).isoformat()
    )
    before = {"start_time": (middle - timedelta(hours=20)).isoformat(), "end_time": middle.isoformat()}
    assert answer["previous"]["total_insights"] == len(matching(known, before))


async def test_the_status_counts_every_conversation_and_names_the_oldest_unfinished(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/status")
    assert answer["conversations"] == {"queued": 1, "processing": 0, "completed": COUNT, "skipped": 1, "failed": 1}
    assert answer["accepted"] == COUNT + 3
    assert answer["oldest_unfinished"]["conversation_id"] == "queued"
    assert answer["analysis"]["active_version"] == "v1"
