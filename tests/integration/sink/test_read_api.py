"""The read API over real rows: every answer is compared with what was sent."""

import csv
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import SecretStr

from schemas.insight_produced import InsightProduced
from services.runtime.api_keys import new_key
from services.sink.app import create_app
from services.sink.database import open_write_pool
from services.sink.resources import open_resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting, skip
from tests.integration.sink.running import sink_settings

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


@pytest.fixture(scope="module")
def module_database(infrastructure: Infrastructure, migrated_template_name: str) -> Any:
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        yield url


@pytest.fixture(scope="module")
async def known(module_database: str) -> list[InsightProduced]:
    insights = some_insights()
    async with open_write_pool(module_database) as pool:
        sink = await Sink(pool).claim()
        rows = [
            posting(one.conversation_id, f"words {index}", index, at=one.occurred_at, channel=one.channel)
            for index, one in enumerate(insights)
        ]
        await sink.store_mixed(rows, insights)
        await sink.receive(posting("failed", "f", 9001), posting("skipped", "s", 9002), posting("queued", "q", 9003))
        await sink.finish(failure("failed", "f", 9001), skip("skipped", "s", 9002))
    return insights


@pytest.fixture(scope="module")
def settings(infrastructure: Infrastructure, module_database: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, module_database, "nobody.")


@pytest.fixture(scope="module")
async def client(settings: SinkSettings, known: list[InsightProduced]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings) as opened:
        yield opened


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


async def test_every_filter_gives_what_matches_and_the_exact_total(
    client: httpx.AsyncClient, known: list[InsightProduced]
) -> None:
    for asked in some_questions():
        answer = await get(client, "/api/v1/insights", **asked, limit=1000)
        expected = sorted(matching(known, asked), key=lambda one: (one.occurred_at, one.conversation_id), reverse=True)
        assert [one["insight_id"] for one in answer["insights"]] == [str(one.insight_id) for one in expected], asked
        assert answer["metadata"]["total_count"] == len(expected), asked
        assert answer["metadata"]["count_is_exact"]


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


@pytest.mark.parametrize("order", ["newest", "most_negative", "least_confident"])
async def test_pages_give_every_insight_once_in_order(
    client: httpx.AsyncClient, known: list[InsightProduced], order: str
) -> None:
    seen: list[Answer] = []
    cursor = None
    while True:
        asked = {"cursor": cursor} if cursor else WHOLE
        answer = await get(client, "/api/v1/insights", **asked, order=order, limit=37)
        seen += answer["insights"]
        cursor = answer["metadata"]["next_cursor"]
        assert answer["metadata"]["total_count"] == COUNT, "the window does not move from page to page"
        if cursor is None:
            break
    assert sorted(one["insight_id"] for one in seen) == sorted(str(one.insight_id) for one in known)
    values = {
        "newest": [one["timestamp"] for one in seen][::-1],
        "most_negative": [one["grok_analysis"]["sentiment_score"] for one in seen],
        "least_confident": [one["grok_analysis"]["confidence"] for one in seen],
    }[order]
    if order == "newest":
        values = [datetime.fromisoformat(str(one)) for one in values]
    assert values == sorted(values)


async def test_pages_stay_as_they_are_while_newer_rows_arrive(
    settings: SinkSettings, infrastructure: Infrastructure, migrated_template_name: str
) -> None:
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        own = settings.model_copy(update={"database_url": SecretStr(url)})
        async with open_write_pool(url) as pool, client_of(own) as client:
            sink = await Sink(pool).claim()
            old = [insight(f"old{index:02}", "w", index, at=NOW + timedelta(seconds=index)) for index in range(30)]
            await sink.finish(*old)
            seen: list[str] = []
            cursor = None
            for page in range(3):
                asked = {"cursor": cursor} if cursor else WHOLE
                answer = await get(client, "/api/v1/insights", **asked, limit=10)
                seen += [one["conversation_id"] for one in answer["insights"]]
                cursor = answer["metadata"]["next_cursor"]
                new = [insight(f"new{page}{one}", "w", 1, at=NOW + timedelta(hours=1)) for one in range(5)]
                await sink.finish(*new)
            assert seen == [one.conversation_id for one in reversed(old)]


async def test_words_are_found_in_what_was_said_and_not_in_the_names_of_members(client: httpx.AsyncClient) -> None:
    found = await get(client, "/api/v1/insights", **WHOLE, q="WORDS 123")
    assert [one["text"] for one in found["insights"]] == ["words 123"]
    for nothing in ("role", '"', "%", "w_rds", "\\"):
        assert (await get(client, "/api/v1/insights", **WHOLE, q=nothing))["metadata"]["total_count"] == 0


async def test_an_empty_window_says_where_the_data_is(client: httpx.AsyncClient, known: list[InsightProduced]) -> None:
    metadata = (await get(client, "/api/v1/insights"))["metadata"]
    assert metadata["total_count"] == 0
    times = [one.occurred_at for one in known]
    assert datetime.fromisoformat(metadata["available"]["earliest"]) == min(times)
    assert datetime.fromisoformat(metadata["available"]["latest"]) == max(times)


async def test_one_insight_can_be_read_with_how_it_came_about(
    client: httpx.AsyncClient, known: list[InsightProduced]
) -> None:
    answer = await get(client, f"/api/v1/insights/{known[0].insight_id}")
    assert answer["conversation_id"] == known[0].conversation_id
    assert answer["content_hash"] == known[0].content_hash
    assert answer["is_current"] is True
    missing = await client.get("/api/v1/insights/00000000-0000-0000-0000-000000000000")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")


async def test_a_conversation_shows_its_words_its_insight_and_its_trail(
    client: httpx.AsyncClient, known: list[InsightProduced]
) -> None:
    answer = await get(client, "/api/v1/conversations/c0005")
    assert answer["status"] == "completed"
    assert [turn["text"] for turn in answer["turns"]] == ["words 5"]
    assert answer["insight"]["insight_id"] == str(known[5].insight_id)
    assert answer["insight"]["stale"] is False
    trail = await get(client, "/api/v1/conversations/c0005/trail")
    assert {step["step"] for step in trail["trail"]} == {"accepted", "started", "completed", "stored"}


async def test_a_failed_conversation_says_why_and_a_skipped_one_by_which_rule(client: httpx.AsyncClient) -> None:
    failed = await get(client, "/api/v1/conversations/failed")
    assert failed["error"] == {"reason": "llm_error", "detail": "the model answered 500 each time", "attempts": 5}
    skipped = await get(client, "/api/v1/conversations/skipped")
    assert skipped["skipped"]["reason"] == "too_short"
    assert (await client.get("/api/v1/conversations/nobody")).status_code == 404


@pytest.mark.parametrize("status", ["queued", "processing", "completed", "skipped", "failed"])
async def test_conversations_are_listed_by_status(client: httpx.AsyncClient, status: str) -> None:
    answer = await get(client, "/api/v1/conversations", **WHOLE, status=status, limit=1000)
    expected = {"completed": COUNT, "processing": 0}.get(status, 1)
    assert len(answer["conversations"]) == expected
    assert {one["status"] for one in answer["conversations"]} <= {status}


async def test_the_status_counts_every_conversation_and_names_the_oldest_unfinished(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/status")
    assert answer["conversations"] == {"queued": 1, "processing": 0, "completed": COUNT, "skipped": 1, "failed": 1}
    assert answer["accepted"] == COUNT + 3
    assert answer["oldest_unfinished"]["conversation_id"] == "queued"
    assert answer["analysis"]["active_version"] == "v1"


async def test_the_look_up_knows_results_by_content_and_the_stored_offsets(
    client: httpx.AsyncClient, known: list[InsightProduced]
) -> None:
    pairs = [
        {"content_hash": known[0].content_hash, "analysis_version": "v1"},
        {"content_hash": known[1].content_hash, "analysis_version": "another"},
        {"content_hash": "0" * 64, "analysis_version": "v1"},
    ]
    answer = await client.post("/internal/v1/insights/lookup", json={"pairs": pairs})
    assert [one["content_hash"] for one in answer.json()["results"]] == [known[0].content_hash]
    assert answer.json()["results"][0]["sentiment_score"] == known[0].sentiment_score


async def test_an_answer_that_has_not_changed_is_304(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/insights", "/api/v1/trends?days=7", "/api/v1/conversations/c0001"):
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await client.get(path, headers={"If-None-Match": 'W/"something else"'})
        assert other.status_code == 200


async def test_an_export_holds_every_insight_once(client: httpx.AsyncClient, known: list[InsightProduced]) -> None:
    lines = await client.get("/api/v1/insights/export", params={**WHOLE, "topic": "billing"})
    expected = [one for one in known if "billing" in one.topics]
    exported = [json.loads(line) for line in lines.text.splitlines()]
    assert sorted(one["insight_id"] for one in exported) == sorted(str(one.insight_id) for one in expected)
    table = await client.get("/api/v1/insights/export", params={**WHOLE, "format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert {row["insight_id"]: float(row["sentiment_score"]) for row in rows} == {
        str(one.insight_id): one.sentiment_score for one in known
    }


BAD = [
    ("/api/v1/insights", "limit", value)
    for value in ("0", "-1", "1001", "ten", "1.5", "99999999999999999999", "1; DROP TABLE insights", "")
]
BAD += [
    (path, name, value)
    for path in ("/api/v1/insights", "/api/v1/trends", "/api/v1/conversations")
    for name in ("start_time", "end_time")
    for value in ("yesterday", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "' OR 1=1 --", "1e999")
]
BAD += [("/api/v1/insights", "min_confidence", value) for value in ("nan", "inf", "-0.1", "1.1", "high")]
BAD += [("/api/v1/insights", "sentiment", value) for value in ("angry", "POSITIVE", "'", "\x00")]
BAD += [("/api/v1/insights", "q", value) for value in ("", "\x00", "x" * 10_000)]
BAD += [("/api/v1/insights", "topic", value) for value in ("a'b", "Delivery", "x" * 65, "\x00", "a--b")]
BAD += [("/api/v1/insights", "channel", value) for value in ("a b", "x" * 65, "'", "\x00")]
BAD += [("/api/v1/insights", "analysis_version", value) for value in ("a b", "x" * 65, "';--")]
BAD += [("/api/v1/insights", "order", value) for value in ("oldest", "1", "occurred_at DESC")]
BAD += [("/api/v1/insights", "cursor", value) for value in ("x", "AAAA", "é", "x" * 601, "' OR 1=1")]
BAD += [("/api/v1/insights", "page", "2"), ("/api/v1/conversations", "status", "done")]
BAD += [("/api/v1/insights/export", "format", "xlsx"), ("/api/v1/insights/export", "limit", "5")]
BAD += [("/api/v1/trends", "days", value) for value in ("0", "-7", "3651", "week", "1.5")]
BAD += [("/api/v1/trends", "bucket", "minute"), ("/api/v1/trends", "tz", "Mars"), ("/api/v1/trends", "tz", "../passwd")]
BAD += [("/api/v1/trends", "tz", "\x00"), ("/api/v1/trends", "tz", "Europe")]


@pytest.mark.parametrize(("path", "name", "value"), BAD)
async def test_a_wrong_parameter_is_400_and_is_named(
    client: httpx.AsyncClient, path: str, name: str, value: str
) -> None:
    answer = await client.get(path, params={name: value})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"] == "invalid_parameter"
    assert name in [one["field"] for one in answer.json()["errors"]]


@pytest.mark.parametrize("path", ["/api/v1/insights", "/api/v1/trends", "/api/v1/conversations"])
async def test_a_window_that_ends_before_it_starts_is_400(client: httpx.AsyncClient, path: str) -> None:
    inverted = {"start_time": NOW.isoformat(), "end_time": FIRST.isoformat()}
    answer = await client.get(path, params=inverted)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "end_time")


async def test_a_cursor_of_other_filters_or_another_window_is_400(client: httpx.AsyncClient) -> None:
    first = await get(client, "/api/v1/insights", **WHOLE, limit=1)
    cursor = first["metadata"]["next_cursor"]
    other_filters = await client.get("/api/v1/insights", params={"cursor": cursor, "sentiment": "negative"})
    other_window = await client.get("/api/v1/insights", params={"cursor": cursor, "end_time": FIRST.isoformat()})
    assert [other_filters.status_code, other_window.status_code] == [400, 400]
    assert other_filters.json()["errors"][0]["field"] == "cursor"


async def test_a_time_whose_plus_was_not_escaped_is_understood(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/insights?start_time=2026-03-01T00:00:00+02:00&end_time=2026-03-02T00:00:00Z")
    assert answer.json()["metadata"]["start_time"] == "2026-02-28T22:00:00Z"


async def test_without_postgres_the_answer_is_a_503_problem(infrastructure: Infrastructure) -> None:
    away = sink_settings(infrastructure.bootstrap_servers, "postgresql://undertone@127.0.0.1:1/nothing", "nobody.")
    async with client_of(away) as client:
        for path in ("/api/v1/insights", "/api/v1/trends", "/api/v1/conversations/c1", "/api/v1/status"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]) == (503, "database_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert (await client.get("/readyz")).status_code == 503
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["db_ok"]) == (200, "degraded", False)


async def test_a_question_that_takes_too_long_is_given_up(settings: SinkSettings, known: list[InsightProduced]) -> None:
    impatient = settings.model_copy(update={"query_timeout_seconds": 0.001})
    async with client_of(impatient) as client:
        answer = await client.get("/api/v1/insights", params={**WHOLE, "q": "words"})
        assert (answer.status_code, answer.json()["error"]) == (503, "query_timeout")


async def test_keys_with_the_right_scope_are_asked_for(settings: SinkSettings, known: list[InsightProduced]) -> None:
    reader, reader_line = new_key("shop", ["read"])
    operator, operator_line = new_key("ops", ["read", "operate"])
    keyed = settings.model_copy(update={"api_keys": SecretStr(f"{reader_line} {operator_line}")})
    async with client_of(keyed) as client:
        assert (await client.get("/api/v1/insights")).status_code == 401
        assert (await client.get("/api/v1/insights", headers={"X-API-Key": reader})).status_code == 200
        body: Answer = {"pairs": []}
        lookup = "/internal/v1/insights/lookup"
        assert (await client.post(lookup, json=body, headers={"X-API-Key": reader})).status_code == 403
        assert (await client.post(lookup, json=body, headers={"X-API-Key": operator})).status_code == 200


async def test_times_are_utc(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/api/v1/insights", **WHOLE, limit=1)
    moment = datetime.fromisoformat(answer["insights"][0]["timestamp"])
    assert moment.utcoffset() == timedelta()
    assert moment.tzinfo == UTC


async def test_a_version_without_insights_names_those_that_have_some(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/insights", "/api/v1/trends"):
        for version, others in (("grok-9", {"v1": COUNT}), ("v1", {})):
            answer = await get(client, path, analysis_version=version)
            assert answer.get("metadata", answer)["other_versions"] == others
