"""The same conversation again: nothing changes; other content: a new revision, and the newest is shown."""

from typing import Any

from schemas.insight_produced import insight_id_of
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.deployment import Deployment
from tests.waiting import eventually

A = "My parcel has still not arrived and nobody answers. I am very angry!"
B = "Thank you so much, it arrived and it works perfectly, I love it!"


def shows_its_insight(found: dict[str, Any]) -> bool:
    """Whether the insight shown is that of the words shown."""
    if found["status"] != "completed" or not found["insight"]:
        return False
    version = found["insight"]["analysis_version"]
    expected = insight_id_of(found["conversation_id"], found["content_hash"], version)
    return bool(found["insight"]["insight_id"] == str(expected) and not found["insight"]["stale"])


async def post_and_settle(pipeline: Deployment, text: str) -> dict[str, Any]:
    answer = await pipeline.post({"conversation_id": "thread-1", "turns": [{"text": text}]})
    assert answer.status_code == 202

    async def is_current() -> bool:
        found: dict[str, Any] = await pipeline.conversation("thread-1")
        return found["turns"][0]["text"] == text and shows_its_insight(found)

    await eventually(is_current, what=f"{text[:20]}… is shown")
    return await pipeline.conversation("thread-1")


async def test_the_same_posted_twice_changes_nothing(pipeline: Deployment) -> None:
    first = await post_and_settle(pipeline, A)
    for _ in range(3):
        await pipeline.post({"conversation_id": "thread-1", "turns": [{"text": A}]})
    await pipeline.post({"conversation_id": "marker", "turns": [{"text": B}]})
    await pipeline.settled({"thread-1", "marker"})
    again = await pipeline.conversation("thread-1")
    assert (again["status"], again["insight"]) == ("completed", first["insight"])
    await assert_exact(pipeline.database_url, {"thread-1", "marker"})


async def test_a_then_b_then_a_again_ends_completed_with_a_shown(pipeline: Deployment) -> None:
    first = await post_and_settle(pipeline, A)
    second = await post_and_settle(pipeline, B)
    third = await post_and_settle(pipeline, A)
    assert first["insight"]["sentiment"] == "negative"
    assert second["insight"]["sentiment"] == "positive"
    assert third["insight"]["insight_id"] == first["insight"]["insight_id"]
    await assert_exact(pipeline.database_url, {"thread-1"})


async def test_a_burst_of_revisions_ends_with_the_newest(pipeline: Deployment) -> None:
    texts = [f"{B} This is number {number}." for number in range(30)]
    for text in texts:
        assert (await pipeline.post({"conversation_id": "thread-1", "turns": [{"text": text}]})).status_code == 202
    await pipeline.settled({"thread-1"})

    async def newest_is_shown() -> bool:
        found = await pipeline.conversation("thread-1")
        return found["turns"][0]["text"] == texts[-1] and shows_its_insight(found)

    await eventually(newest_is_shown)
    await assert_exact(pipeline.database_url, {"thread-1"})
