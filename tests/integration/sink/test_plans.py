"""Plans of the statements that store batches: work grows with the batch, never with the table or its square."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from services.sink.columns import conversation_columns, insight_columns, outcome_columns, started_columns
from services.sink.merge import newest_postings, standings
from services.sink.rows import outcome_row
from services.sink.sql import conversations, outcomes
from tests.integration.sink.harness import Sink, insight, posting, started

STORED = 3_000
BATCH = 1_000
NAMES = [f"new{number:05}" for number in range(BATCH)]
EVENTS = [insight(name, "words", number) for number, name in enumerate(NAMES)]
POSTINGS = [posting(name, "words", number) for number, name in enumerate(NAMES)]
STATEMENTS: dict[str, tuple[str, list[Any]]] = {
    "postings": (conversations.CONVERSATIONS, [*conversation_columns(newest_postings(POSTINGS)), [], [], [1]]),
    "insights": (outcomes.INSIGHTS, [*insight_columns(EVENTS, {"v1": 1}, {})]),
    "outcomes": (outcomes.OUTCOMES, [*outcome_columns(standings(map(outcome_row, EVENTS)), {"v1": 1})]),
    "started": (
        conversations.STARTED,
        [*started_columns(started(name, number) for number, name in enumerate(NAMES))],
    ),
    "statuses": (conversations.CONVERSATIONS, [*conversation_columns([]), [], NAMES, [1]]),
}


async def fill(sink: Sink, *, analyze: bool) -> None:
    """Completed conversations, known to the planner or not, and queued ones that it knows nothing of."""
    names = [f"old{number:05}" for number in range(STORED)]
    rows = [posting(name, "words", number) for number, name in enumerate(names)]
    await sink.store_mixed(rows, [insight(name, "words", number) for number, name in enumerate(names)])
    if analyze:
        for table in ("conversations", "current_outcomes", "insights", "conversation_turns"):
            await sink.pool.execute(f"ANALYZE {table}")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("analyze", [True, False])
async def test_a_batch_is_stored_by_index_from_its_own_rows(sink: Sink, *, analyze: bool) -> None:
    await fill(sink, analyze=analyze)
    async with sink.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        for name, (statement, values) in STATEMENTS.items():
            plan = await explained(connection, statement, values)
            for node in nodes(plan):
                where = f"{name}: {node['Node Type']} on {node.get('Relation Name')}"
                assert node.get("Rows Removed by Join Filter", 0) <= 2 * BATCH, where
                assert not (node["Node Type"] == "Seq Scan" and node["Actual Loops"]), where
                assert node["Actual Rows"] * node["Actual Loops"] <= 12 * BATCH, where
        await transaction.rollback()


async def explained(connection: asyncpg.Connection, statement: str, values: list[Any]) -> dict[str, Any]:
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", *values)
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan
