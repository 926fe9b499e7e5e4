"""Lists of insights and files of them."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from schemas.insight_produced import InsightProduced
from services.sink.database import open_write_pool
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.integration.sink.harness import NOW, Sink, insight
from tests.integration.sink.reads.reading import (
    COUNT,
    WHOLE,
    Answer,
    client_of,
    get,
    matching,
    some_questions,
)


async def test_every_filter_gives_what_matches_and_the_exact_total(
    client: httpx.AsyncClient, known: list[InsightProduced]
) -> None:
    for asked in some_questions():
        answer = await get(client, "/api/v1/insights", **asked, limit=1000)
        expected = sorted(matching(known, asked), key=lambda one: (one.occurred_at, one.conversation_id), reverse=True)
        assert [one["insight_id"] for one in answer["insights"]] == [str(one.insight_id) for one in expected], asked
        assert answer["metadata"]["total_count"] == len(expected), asked
        assert answer["metadata"]["count_is_exact"]


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
