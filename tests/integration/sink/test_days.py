"""Days are counted by the database from what is written to hours, by whatever release."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.sink.recount import differing_cells
from tests.integration.sink.harness import Sink, insight, posting
from tests.waiting import eventually

START = datetime(2026, 3, 2, 22, tzinfo=UTC)

_ADD = """
    INSERT INTO rollup_hours AS r (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT 1, '', '', moment, 10, 1, 2, 3 FROM unnest($1::timestamptz[]) AS moment ORDER BY moment
    ON CONFLICT (version_id, channel, subject, bucket) DO UPDATE SET
        score_sum = r.score_sum + excluded.score_sum, positive = r.positive + excluded.positive,
        neutral = r.neutral + excluded.neutral, negative = r.negative + excluded.negative
"""


async def days(connection: Any) -> dict[str, tuple[int, int, int, int]]:
    rows = await connection.fetch("SELECT * FROM rollup_days ORDER BY bucket")
    return {f"{row['bucket']:%d}": (row["score_sum"], row["positive"], row["neutral"], row["negative"]) for row in rows}


async def test_new_hours_changed_ones_and_removed_ones_are_in_their_day(pool: asyncpg.Pool) -> None:
    hours = [START + timedelta(hours=number) for number in range(4)]
    await pool.execute(_ADD, hours[:3])
    assert await days(pool) == {"02": (20, 2, 4, 6), "03": (10, 1, 2, 3)}
    await pool.execute(_ADD, hours[2:])  # one that is there and one that is new, in one statement
    assert await days(pool) == {"02": (20, 2, 4, 6), "03": (30, 3, 6, 9)}
    await pool.execute("UPDATE rollup_hours SET positive = positive - 1, score_sum = 0")
    assert await days(pool) == {"02": (0, 0, 4, 6), "03": (0, 1, 6, 9)}
    await pool.execute("DELETE FROM rollup_hours WHERE bucket >= $1", hours[2])
    assert await days(pool) == {"02": (0, 0, 4, 6), "03": (0, 0, 0, 0)}


async def test_writers_of_different_hours_of_the_same_days_wait_for_each_other(pool: asyncpg.Pool) -> None:
    """Each makes an hour in the day in which the other changes one: in no order of days could both go on."""
    first, second = START, START + timedelta(hours=12)
    await pool.execute(_ADD, [first, second])
    async with pool.acquire() as one, pool.acquire() as other:

        async def other_waits() -> bool:
            blocking = "SELECT cardinality(pg_blocking_pids($1)) > 0"
            return bool(await one.fetchval(blocking, other.get_server_pid()))

        async with one.transaction():
            await one.execute(_ADD, [first, second + timedelta(hours=1)])
            waiting = asyncio.create_task(other.execute(_ADD, [first + timedelta(hours=1), second]))
            await eventually(other_waits, what="the second writer waits")
        await waiting
    assert await days(pool) == {"02": (30, 3, 6, 9), "03": (30, 3, 6, 9)}


async def test_what_a_sink_stores_is_in_days_as_it_is_in_hours(sink: Sink, pool: asyncpg.Pool) -> None:
    numbers = range(30)
    spread = [
        insight(f"c{number}", f"words {number}", number + 1, at=START + timedelta(hours=number)) for number in numbers
    ]
    await sink.store_mixed([posting(f"c{number}", f"words {number}", number + 1) for number in numbers], spread)
    whole = "SELECT sum(positive + neutral + negative) FROM {} WHERE channel = '' AND subject = ''"
    assert await pool.fetchval(whole.format("rollup_days")) == len(spread)
    assert await pool.fetchval("SELECT count(*) FROM rollup_days WHERE channel = '' AND subject = ''") == 3
    await pool.execute("UPDATE rollup_days SET neutral = neutral + 1 WHERE channel = '' AND subject = ''")
    async with pool.acquire() as connection:
        found = await differing_cells(connection)
    assert {row["rollup"] for row in found} == {"rollup_days"}
    await pool.execute("UPDATE rollup_days SET neutral = neutral - 1 WHERE channel = '' AND subject = ''")
