"""A read API over rows that are known: every answer is compared with what was sent."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx

from schemas.insight_produced import InsightProduced
from services.sink.app import create_app
from services.sink.database import open_write_pool
from services.sink.resources import open_resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting, skip

SUBJECTS = (("delivery",), ("refund", "delivery"), ("billing",))
CHANNELS = ("chat", "mail", None)
COUNT = 400
FIRST = NOW - timedelta(days=3)
WHOLE = {"start_time": FIRST.isoformat(), "end_time": (NOW + timedelta(days=1)).isoformat()}
Answer = dict[str, Any]


@asynccontextmanager
async def client_of(settings: SinkSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with open_resources(settings) as resources:
        transport = httpx.ASGITransport(create_app(settings, resources, Role.API, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://read-api") as client:
            yield client


def some_insights() -> list[InsightProduced]:
    chance = random.Random(7)
    span_seconds = int((NOW - FIRST).total_seconds())
    return [
        insight(
            f"c{number:04}",
            f"words {number}",
            number,
            score=round(chance.uniform(-1, 1), 3),
            topics=chance.choice(SUBJECTS),
            channel=chance.choice(CHANNELS),
            confidence=round(chance.random(), 3),
            at=FIRST + timedelta(seconds=chance.randrange(span_seconds), milliseconds=chance.randrange(1000)),
        )
        for number in range(COUNT)
    ]


async def store_known(url: str) -> list[InsightProduced]:
    """Insights, and one conversation each that failed, was skipped and waits."""
    insights = some_insights()
    async with open_write_pool(url) as pool:
        sink = await Sink(pool).claim()
        rows = [
            posting(one.conversation_id, f"words {index}", index, at=one.occurred_at, channel=one.channel)
            for index, one in enumerate(insights)
        ]
        await sink.store_mixed(rows, insights)
        await sink.receive(posting("failed", "f", 9001), posting("skipped", "s", 9002), posting("queued", "q", 9003))
        await sink.finish(failure("failed", "f", 9001), skip("skipped", "s", 9002))
    return insights


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Answer:
    answer = await client.get(path, params={name: value for name, value in parameters.items() if value is not None})
    assert answer.status_code == 200, answer.text
    members: Answer = answer.json()
    return members


def matching(known: list[InsightProduced], asked: dict[str, Any]) -> list[InsightProduced]:
    start, end = datetime.fromisoformat(asked["start_time"]), datetime.fromisoformat(asked["end_time"])
    return [
        one
        for one in known
        if start <= one.occurred_at < end
        and asked.get("sentiment") in {None, one.sentiment.value}
        and (asked.get("topic") is None or asked["topic"] in one.topics)
        and asked.get("channel") in {None, one.channel}
        and one.confidence >= asked.get("min_confidence", 0)
    ]


def some_questions() -> list[dict[str, Any]]:
    chance = random.Random(11)
    questions = []
    for _ in range(40):
        moments = sorted(FIRST + timedelta(seconds=chance.uniform(0, 3 * 86_400)) for _ in range(2))
        asked: dict[str, Any] = {"start_time": moments[0].isoformat(), "end_time": moments[1].isoformat()}
        if chance.random() < 0.5:
            asked["sentiment"] = chance.choice(["positive", "neutral", "negative"])
        if chance.random() < 0.4:
            asked["topic"] = chance.choice(["delivery", "refund", "billing", "unheard_of"])
        if chance.random() < 0.4:
            asked["channel"] = chance.choice(["chat", "mail", "phone"])
        if chance.random() < 0.2:
            asked["min_confidence"] = round(chance.random(), 3)
        questions.append(asked)
    return questions
