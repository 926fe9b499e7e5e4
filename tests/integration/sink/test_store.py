from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schemas.event import Lane
from services.sink.batch import Batch
from services.sink.failures import REFUSED, Fenced
from services.sink.rows import outcome_row
from tests.integration.sink.harness import ANALYZED, RECEIVED, Sink, failure, insight, posting, skip, started


async def status_of(sink: Sink, conversation_id: str) -> str | None:
    status: str | None = await sink.pool.fetchval(
        "SELECT status FROM conversations WHERE conversation_id = $1", conversation_id
    )
    return status


async def shown(sink: Sink, conversation_id: str, version: str = "v1") -> Any:
    return await sink.pool.fetchrow(
        "SELECT o.*, (o.revision_ms, o.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset) AS is_stale "
        "FROM current_outcomes o JOIN analysis_versions v USING (version_id) "
        "WHERE o.conversation_id = $1 AND v.name = $2",
        conversation_id,
        version,
    )


async def shown_id(sink: Sink, conversation_id: str, version: str = "v1") -> UUID | None:
    row = await shown(sink, conversation_id, version)
    found: UUID | None = row and row["insight_id"]
    return found


async def count(sink: Sink, table: str) -> int:
    found: int = await sink.pool.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def total(sink: Sink, table: str = "rollup_hours") -> int:
    found: int = await sink.pool.fetchval(
        f"SELECT coalesce(sum(positive + neutral + negative), 0) FROM {table} WHERE channel = '' AND subject = ''"
    )
    return found


async def test_a_conversation_is_queued_then_processing_then_completed(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    assert await status_of(sink, "c1") == "queued"
    await sink.start(started("c1", 1))
    assert await status_of(sink, "c1") == "processing"
    await sink.finish(insight("c1", "a", 1))
    assert await status_of(sink, "c1") == "completed"
    assert await sink.pool.fetchval("SELECT unfinished_since FROM conversations") is None


async def test_an_outcome_may_come_before_its_conversation(sink: Sink) -> None:
    await sink.finish(insight("c1", "a", 1))
    assert await status_of(sink, "c1") is None
    await sink.receive(posting("c1", "a", 1))
    assert await status_of(sink, "c1") == "completed"


async def test_an_outcome_and_its_conversation_may_come_in_one_batch(sink: Sink) -> None:
    await sink.store_mixed([posting("c1", "a", 1)], [insight("c1", "a", 1)])
    assert await status_of(sink, "c1") == "completed"


async def test_the_same_conversation_posted_twice_changes_nothing(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.finish(insight("c1", "a", 1))
    before = await sink.pool.fetchrow("SELECT * FROM conversations")
    await sink.receive(posting("c1", "a", 2))
    assert await sink.pool.fetchrow("SELECT * FROM conversations") == before
    await sink.finish(insight("c1", "a", 2))
    assert await status_of(sink, "c1") == "completed"
    assert await count(sink, "insights") == 1
    assert await total(sink) == 1


async def test_a_posting_that_says_nothing_new_comes_with_the_outcome_of_the_first_in_one_batch(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.store_mixed([posting("c1", "a", 2)], [insight("c1", "a", 1)])
    assert await status_of(sink, "c1") == "completed"


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_words_that_come_back_end_completed_with_the_first_insight_shown(
    sink: Sink, *, in_one_batch: bool
) -> None:
    postings = [posting("c1", "a", 1), posting("c1", "b", 2), posting("c1", "a", 3)]
    outcomes = [insight("c1", "a", 1), insight("c1", "b", 2, score=0.7), insight("c1", "a", 3, score=0.1)]
    if in_one_batch:
        await sink.store_mixed(postings, outcomes)
    else:
        for row, outcome in zip(postings, outcomes, strict=True):
            await sink.receive(row)
            assert await status_of(sink, "c1") == "queued"
            await sink.finish(outcome)
    assert await status_of(sink, "c1") == "completed"
    row = await shown(sink, "c1")
    assert row["insight_id"] == outcomes[0].insight_id
    assert row["score"] == -5000, "the first result that was stored stays, whatever a later one says"
    assert (row["shown_revision_offset"], row["is_stale"]) == (3, False)
    assert await total(sink) == 1


async def test_a_newer_revision_starts_again_at_queued_and_leaves_the_older_insight_shown(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.finish(insight("c1", "a", 1))
    await sink.receive(posting("c1", "b", 2))
    assert await status_of(sink, "c1") == "queued"
    assert await shown_id(sink, "c1") == insight("c1", "a", 1).insight_id


async def test_a_late_outcome_of_an_older_revision_never_becomes_current(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c1", "b", 2))
    await sink.finish(insight("c1", "b", 2, score=0.9))
    await sink.finish(insight("c1", "a", 1))
    assert await shown_id(sink, "c1") == insight("c1", "b", 2).insight_id
    assert await status_of(sink, "c1") == "completed"


async def test_a_failed_newer_revision_leaves_the_older_insight_shown_and_stale(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c1", "b", 2))
    await sink.finish(insight("c1", "a", 1))
    await sink.finish(failure("c1", "b", 2))
    row = await shown(sink, "c1")
    assert (row["insight_id"], row["is_stale"]) == (insight("c1", "a", 1).insight_id, True)
    assert (row["reason"], row["attempts"]) == ("llm_error", 5)
    assert await status_of(sink, "c1") == "failed"
    assert await total(sink) == 1


async def test_a_redriven_failure_is_completed_by_its_insight(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.finish(failure("c1", "a", 1))
    await sink.finish(insight("c1", "a", 1, lane=Lane.REPLAY))
    assert await status_of(sink, "c1") == "completed"
    await sink.finish(failure("c1", "a", 1))
    assert await status_of(sink, "c1") == "completed"


async def test_a_skipped_newer_revision_takes_the_insight_away(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c1", "b", 2))
    await sink.finish(insight("c1", "a", 1))
    await sink.finish(skip("c1", "b", 2))
    assert await shown_id(sink, "c1") is None
    assert await status_of(sink, "c1") == "skipped"
    assert await total(sink) == 0


async def test_processing_is_only_for_what_is_still_queued(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c1", "b", 2), posting("c2", "a", 3))
    await sink.finish(insight("c2", "a", 3))
    await sink.start(started("c1", 1), started("c2", 3))
    assert await status_of(sink, "c1") == "queued", "a batch with the older revision says nothing of the newer"
    assert await status_of(sink, "c2") == "completed"


async def test_a_candidate_version_stands_beside_the_active_one_and_moves_no_status(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.finish(insight("c1", "a", 1, version="v1"))
    await sink.receive(posting("c2", "a", 2))
    await sink.finish(insight("c2", "a", 2, version="v2", lane=Lane.REPLAY, score=0.9))
    assert await status_of(sink, "c2") == "queued"
    assert await shown_id(sink, "c2", "v2") == insight("c2", "a", 2, version="v2").insight_id
    assert await total(sink) == 2


async def test_a_version_that_live_traffic_comes_under_becomes_active_and_finished_stays_finished(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c2", "b", 2), posting("c3", "c", 3))
    await sink.finish(insight("c1", "a", 1, version="v1"))
    await sink.finish(insight("c2", "b", 2, version="v2"))
    await sink.finish(insight("c3", "c", 3, version="v1"))
    assert await sink.pool.fetchval("SELECT name FROM analysis_versions WHERE state = 'active'") == "v2"
    assert [await status_of(sink, one) for one in ("c1", "c2", "c3")] == ["completed"] * 3


async def test_nothing_of_an_erased_conversation_is_stored_again_up_to_that_revision(sink: Sink) -> None:
    await sink.pool.execute("INSERT INTO erasures VALUES ('c1', 1000002, 2)")
    await sink.store_mixed([posting("c1", "a", 1)], [insight("c1", "a", 1), failure("c1", "b", 2)])
    assert await count(sink, "conversations") == await count(sink, "insights") == 0
    assert await count(sink, "current_outcomes") == await count(sink, "conversation_turns") == 0
    await sink.store_mixed([posting("c1", "a", 3)], [insight("c1", "a", 3)])
    assert await status_of(sink, "c1") == "completed"


async def test_a_sink_whose_partition_was_claimed_by_another_stores_nothing_more(sink: Sink) -> None:
    other = Sink(sink.pool, group=sink.group)
    await sink.receive(posting("c1", "a", 1))
    await other.claim()
    assert other.claims[RECEIVED].next_offset == 1, "a claim goes on where the other stopped"
    with pytest.raises(Fenced):
        await sink.receive(posting("c2", "a", 2))
    assert await count(sink, "conversations") == 1
    await other.receive(posting("c2", "a", 2))
    assert await count(sink, "conversations") == 2


async def test_a_batch_whose_commit_was_not_heard_of_is_not_stored_twice(sink: Sink) -> None:
    outcome = insight("c1", "a", 1)
    batch = Batch({ANALYZED: 1}, insights=[outcome], outcomes=[outcome_row(outcome)])
    await sink.store.store(batch, sink.claims)
    with pytest.raises(Fenced):
        await sink.store.store(batch, sink.claims)
    assert await total(sink) == 1


async def test_a_batch_is_stored_whole_or_not_at_all(sink: Sink) -> None:
    bad = insight("c2", "a", 2, channel="a\x00b")
    with pytest.raises(REFUSED):
        await sink.store_mixed([posting("c1", "a", 1)], [insight("c1", "a", 1), bad])
    assert await count(sink, "conversations") == await count(sink, "insights") == 0
    assert await sink.pool.fetchval("SELECT max(next_offset) FROM consumer_offsets") == 0


@pytest.mark.parametrize("channel", ["a\x00b", "lone \ud800 surrogate"])
async def test_text_that_postgres_cannot_hold_is_a_refusal_and_not_an_outage(sink: Sink, channel: str) -> None:
    with pytest.raises(REFUSED):
        await sink.finish(insight("c1", "a", 1, channel=channel))


async def test_a_number_out_of_range_is_a_refusal(sink: Sink) -> None:
    beyond = insight("c1", "a", 1).model_copy(update={"input_tokens": 2**40})
    with pytest.raises(REFUSED):
        await sink.finish(beyond)


async def test_usage_counts_calls_and_what_new_insights_took_once(sink: Sink) -> None:
    paid = insight("c1", "a", 1).model_copy(update={"input_tokens": 100, "output_tokens": 20, "cost_usd": 0.00015})
    await sink.start(started("c1", 1), started("c1", 1))
    await sink.finish(paid)
    await sink.finish(paid)
    row = await sink.pool.fetchrow("SELECT calls, input_tokens, output_tokens, cost_nanousd FROM daily_usage")
    assert tuple(row) == (2, 100, 20, 150_000)


async def test_the_raw_completion_is_kept_once(sink: Sink) -> None:
    said = insight("c1", "a", 1).model_copy(update={"completion": '{"sentiment_score": -0.5}'})
    await sink.finish(said, said)
    await sink.finish(said)
    assert await sink.pool.fetchval("SELECT completion FROM completions") == '{"sentiment_score": -0.5}'
    assert await count(sink, "completions") == 1


async def test_the_database_refuses_a_second_active_version(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO analysis_versions (name, state) VALUES ('v1', 'active')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute("INSERT INTO analysis_versions (name, state) VALUES ('v2', 'active')")
