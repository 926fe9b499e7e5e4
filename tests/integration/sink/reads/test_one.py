"""One insight, one conversation, and the look-up."""

import httpx
import pytest

from schemas.insight_produced import InsightProduced
from tests.integration.sink.reads.reading import (
    COUNT,
    WHOLE,
    get,
)


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
