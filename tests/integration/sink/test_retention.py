"""Retention against a real Postgres: what is old leaves whole, what is young or unfinished stays, counts stay exact."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from schemas.dead_letter import DeadLetter, DeadLetterReason, Origin
from services.sink.batch import Batch
from services.sink.passes import Busy
from services.sink.recount import differing_cells
from services.sink.retention import Retention
from services.sink.rows import DeadLetterRow
from services.sink.sql import retention as sql
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting, skip
from tests.waiting import eventually

OLD = NOW - timedelta(days=40)
CUTOFF = NOW - timedelta(days=30)


def retention_of(pool: asyncpg.Pool, stop: asyncio.Event | None = None) -> Retention:
    return Retention(pool, 30, stop or asyncio.Event())


def letter(failed_at: datetime) -> DeadLetterRow:
    place = Origin("received", 0, 1, 1_000_001)
    reason = DeadLetterReason.UNDECODABLE
    kept = DeadLetter(uuid.uuid4(), reason, "", place, failed_at, "analyzer", "", 1, is_truncated=False)
    return DeadLetterRow(kept, None, None, b"{", ())


async def ids(pool: asyncpg.Pool, table: str) -> set[str]:
    return {row["conversation_id"] for row in await pool.fetch(f"SELECT conversation_id FROM {table}")}


async def test_old_conversations_leave_whole_and_young_ones_and_unfinished_ones_stay(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sink.retention._WALKED", 7)
    monkeypatch.setattr("services.sink.retention._BREATH_SECONDS", 0.001)
    old = [f"old{number}" for number in range(40)]
    young = [f"young{number}" for number in range(20)]
    rows = [posting(name, "w", number, at=OLD) for number, name in enumerate(old)]
    rows += [posting(name, "w", number, at=NOW) for number, name in enumerate(young)]
    events = [insight(name, "w", number, at=OLD) for number, name in enumerate(old)]
    events += [insight(name, "w", number) for number, name in enumerate(young)]
    await sink.store_mixed([*rows, posting("unfinished", "w", 90, at=OLD)], events)
    # A tweet of 2017 that was sent today, and an old conversation that was posted again today.
    again = posting("old0", "new words", 91)._replace(occurred_at=OLD)
    dated = posting("tweet", "w", 92)._replace(occurred_at=OLD)
    await sink.receive(again, dated)
    await sink.finish(insight("old0", "new words", 91, at=OLD), insight("tweet", "w", 92, at=OLD))
    removed = await retention_of(sink.pool).remove_before(CUTOFF)
    assert removed == 39
    kept = {*young, "unfinished", "old0", "tweet"}
    assert await ids(sink.pool, "conversations") == kept
    assert await ids(sink.pool, "conversation_turns") == kept
    assert await ids(sink.pool, "insights") == kept - {"unfinished"}
    assert await ids(sink.pool, "current_outcomes") == kept - {"unfinished"}
    assert await retention_of(sink.pool).remove_before(CUTOFF) == 0


async def test_outcomes_whose_conversation_has_left_leave_too(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered again after it left, by a redrive or a second answer: nobody else would ever remove it."""
    monkeypatch.setattr("services.sink.retention._WALKED", 3)
    monkeypatch.setattr("services.sink.retention._BREATH_SECONDS", 0.001)
    late = [insight(f"late{number}", "w", number, at=OLD) for number in range(8)]
    broken = failure("broken", "w", 20).model_copy(update={"failed_at": OLD, "occurred_at": OLD})
    short = skip("short", "w", 21).model_copy(update={"skipped_at": OLD, "occurred_at": OLD})
    # One that has its conversation, one of today whose conversation is on its way, a tweet of 2017 analysed today.
    whole, early = insight("whole", "w", 30), insight("early", "w", 31)
    tweet = insight("tweet", "w", 32, at=OLD).model_copy(update={"analyzed_at": NOW})
    await sink.receive(posting("whole", "w", 30))
    await sink.finish(*late, broken, short, whole, early, tweet)
    await retention_of(sink.pool).remove_before(CUTOFF)
    assert await ids(sink.pool, "current_outcomes") == {"whole", "early", "tweet"}
    assert await ids(sink.pool, "insights") == {"whole", "early", "tweet"}
    async with sink.pool.acquire() as connection:
        assert await differing_cells(connection) == []


async def test_old_dead_letters_leave(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sink.retention._LETTERS", 2)
    letters = [*(letter(OLD) for _ in range(5)), letter(NOW)]
    await sink.store.store(Batch(dead_letters=letters), sink.claims)
    assert await retention_of(sink.pool).remove_before(CUTOFF) == 5
    assert await sink.pool.fetchval("SELECT failed_at FROM dead_letters") == NOW


async def test_of_several_sinks_one_removes_at_a_time(sink: Sink, database_url: str) -> None:
    await sink.store_mixed([posting("old", "w", 1, at=OLD)], [insight("old", "w", 1, at=OLD)])
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            assert await other.fetchval(sql.LOCK)
            with pytest.raises(Busy):
                await retention_of(sink.pool).remove_before(CUTOFF)
        assert await retention_of(sink.pool).remove_before(CUTOFF) == 1
    finally:
        await other.close()


async def nothing_left(pool: asyncpg.Pool) -> bool:
    return not await ids(pool, "conversations")


async def test_it_works_by_itself_and_ends_when_the_process_is_to_stop(sink: Sink) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=31)
    await sink.store_mixed([posting("old", "w", 1, at=long_ago)], [insight("old", "w", 1, at=long_ago)])
    stop = asyncio.Event()
    working = asyncio.create_task(retention_of(sink.pool, stop).run())
    await eventually(lambda: nothing_left(sink.pool))
    stop.set()
    await asyncio.wait_for(working, 5)


async def test_walks_look_conversations_up_one_by_one(sink: Sink) -> None:
    """Never by reading the table: it may have ten million rows, and a walk has ten thousand pages."""
    names = [f"old{number:04}" for number in range(3_000)]
    rows = [posting(name, "w", number, at=OLD) for number, name in enumerate(names)]
    await sink.store_mixed(rows, [insight(name, "w", number, at=OLD) for number, name in enumerate(names)])
    for table in ("conversations", "current_outcomes"):
        await sink.pool.execute(f"ANALYZE {table}")
    async with sink.pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on")
        for query in (sql.WALK, *sql.OUTCOMES):
            values = [CUTOFF, datetime(1, 1, 1, tzinfo=UTC), "", 10, *([1] if "$5" in query else [])]
            plan = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY OFF) {query}", *values)
            text = "\n".join(row[0] for row in plan)
            assert "Seq Scan" not in text, text
            assert "rows=3000" not in text, text
