"""Counts ids, not lines of log: what was accepted against what Postgres holds, and rollups against a recount."""

import asyncpg

from schemas.insight_produced import insight_id_of
from services.sink.recount import differing_cells

FINAL = {"completed", "skipped", "failed"}


async def assert_exact(database_url: str, accepted: set[str]) -> None:
    """Every accepted conversation has exactly one current outcome, and nothing else is there."""
    connection = await asyncpg.connect(database_url)
    try:
        await _assert_conversations(connection, accepted)
        await _assert_insights(connection)
        assert await differing_cells(connection) == []
    finally:
        await connection.close()


async def _assert_conversations(connection: asyncpg.Connection, accepted: set[str]) -> None:
    rows = await connection.fetch("SELECT conversation_id, status FROM conversations")
    stored = {row["conversation_id"] for row in rows}
    assert stored == accepted, f"missing {sorted(accepted - stored)[:5]}, unasked {sorted(stored - accepted)[:5]}"
    unfinished = [row["conversation_id"] for row in rows if row["status"] not in FINAL]
    assert not unfinished, f"unfinished: {unfinished[:5]}"
    outcomes = await connection.fetch("SELECT conversation_id, count(*) AS n FROM current_outcomes GROUP BY 1")
    assert {row["conversation_id"] for row in outcomes if row["n"] == 1} == accepted


async def _assert_insights(connection: asyncpg.Connection) -> None:
    """Each insight is where its id says that it belongs, and each completed conversation shows one."""
    rows = await connection.fetch(
        """
        SELECT insight_id, conversation_id, encode(content_hash, 'hex') AS content_hash, name AS analysis_version
        FROM insights JOIN analysis_versions USING (version_id)
        """
    )
    for row in rows:
        expected = insight_id_of(row["conversation_id"], row["content_hash"], row["analysis_version"])
        assert row["insight_id"] == expected
    astray = await connection.fetchval(
        """
        SELECT count(*) FROM current_outcomes AS o LEFT JOIN insights AS i USING (insight_id)
        WHERE o.kind = 'completed' AND (i.insight_id IS NULL OR i.conversation_id <> o.conversation_id)
        """
    )
    assert astray == 0
