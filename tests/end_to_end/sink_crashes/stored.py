"""What Postgres holds against what was sent: row by row, and every sum that a second effect would show in."""

import asyncpg

from schemas.event import Revision
from services.sink.recount import differing_cells
from tests.end_to_end.sink_crashes.stream import TOKENS, Expected


async def assert_stored(database_url: str, expected: Expected) -> None:
    """Every outcome has its effect once, and nothing else is there."""
    connection = await asyncpg.connect(database_url)
    try:
        await _assert_rows(connection, expected)
        await _assert_sums(connection, expected)
        assert await differing_cells(connection) == []
    finally:
        await connection.close()


async def unread_records(database_url: str, ends: dict[tuple[str, int], int]) -> int:
    """How many records of these logs are not stored yet."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT topic, partition, next_offset FROM consumer_offsets")
    finally:
        await connection.close()
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return sum(end - stored.get(place, 0) for place, end in ends.items())


async def _assert_rows(connection: asyncpg.Connection, expected: Expected) -> None:
    rows = await connection.fetch("SELECT insight_id FROM insights")
    assert len(rows) == len(expected.insights)
    assert {row["insight_id"] for row in rows} == expected.insights
    assert await connection.fetchval("SELECT count(*) FROM completions") == len(expected.insights)
    outcomes = await connection.fetch(
        "SELECT conversation_id, revision_ms, revision_offset, kind FROM current_outcomes"
    )
    assert len(outcomes) == len(expected.outcomes)
    found = {row["conversation_id"]: (_revision(row), row["kind"]) for row in outcomes}
    assert found == expected.outcomes
    rows = await connection.fetch("SELECT conversation_id, revision_ms, revision_offset, status FROM conversations")
    assert {row["conversation_id"]: _revision(row) for row in rows} == expected.conversations
    assert {row["conversation_id"]: row["status"] for row in rows} == {
        conversation_id: kind for conversation_id, (_, kind) in expected.outcomes.items()
    }


def _revision(row: asyncpg.Record) -> Revision:
    return Revision(row["revision_ms"], row["revision_offset"])


async def _assert_sums(connection: asyncpg.Connection, expected: Expected) -> None:
    shown = sum(kind == "completed" for _, kind in expected.outcomes.values())
    for rollup in ("rollup_hours", "rollup_minutes"):
        counted = await connection.fetchval(
            f"SELECT sum(positive + neutral + negative) FROM {rollup} WHERE channel = '' AND subject = ''"
        )
        assert counted == shown, rollup
    usage = await connection.fetchrow("SELECT sum(calls) AS calls, sum(input_tokens) AS tokens FROM daily_usage")
    assert usage["calls"] == expected.calls
    assert usage["tokens"] == TOKENS * len(expected.insights)
