"""Trends over a year of hours: exact in every zone, and read from days."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.sink.database import open_read_pool
from services.sink.reads.trends import TrendQuestion, read_trends
from services.sink.sql import counts as sql
from services.sink.windows import HOUR, Window
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.integration.sink.reads.watched import nodes

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
HOURS = 2 * 365 * 24
SUBJECTS = ("baggage", "delivery_problems", "other", "products", "refunds_and_returns")

_FILL = """
    INSERT INTO rollup_hours (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT 1, '', subject, $1::timestamptz + make_interval(hours => hour), hour, 1 + hour % 7, hour % 5, hour % 3
    FROM generate_series(0, $2::integer - 1) AS hour CROSS JOIN unnest($3::text[] || ''::text) AS subject
    ORDER BY hour
"""
_FILL_STATUSES = """
    INSERT INTO rollup_status_hours (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT '', $1::timestamptz + make_interval(hours => hour), 0, 0, hour % 2, 0, 1 + hour % 7
    FROM generate_series(0, $2::integer - 1) AS hour
"""


@pytest.fixture(scope="module")
async def years(infrastructure: Infrastructure, migrated_template_name: str) -> AsyncIterator[str]:
    """Two years of hours, stored as a release that knows of no days would store them."""
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(_FILL, FIRST, HOURS, list(SUBJECTS))
        await connection.execute(_FILL_STATUSES, FIRST, HOURS)
        await connection.execute("ANALYZE")
        await connection.close()
        yield url


@pytest.fixture
async def connection(years: str) -> AsyncIterator[asyncpg.Connection]:
    async with (
        open_read_pool(years, connections=1, timeout_seconds=30) as pool,
        pool.acquire() as opened,
        opened.transaction(readonly=True),
    ):
        yield opened


class Remembering:
    """A connection that keeps the statement that counts trends, with its values."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.values: tuple[Any, ...] = ()

    async def fetch(self, query: str, *values: Any) -> Any:
        if query == sql.TRENDS:
            self.values = values
        return await self._connection.fetch(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        return await self._connection.fetchval(query, *values)

    async def rows_read(self) -> int:
        """How many rows of rollups the statement looks at."""
        text = await self._connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql.TRENDS}", *self.values)
        return sum(
            round(node["Actual Rows"] * node["Actual Loops"])
            for node in nodes(json.loads(text)[0]["Plan"])
            if "rollup" in node.get("Relation Name", "")
        )


def expected_of(start: datetime, end: datetime) -> dict[str, int]:
    """What the hours of a span that begins and ends with an hour hold."""
    hours = range(max(0, (start - FIRST) // HOUR), min(HOURS, (end - FIRST) // HOUR))
    return {
        "positive": sum(1 + hour % 7 for hour in hours),
        "neutral": sum(hour % 5 for hour in hours),
        "negative": sum(hour % 3 for hour in hours),
    }


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland"])
@pytest.mark.parametrize("shift", [timedelta(), 7 * HOUR, 17 * HOUR])
async def test_each_day_of_a_year_is_the_zones_own(connection: asyncpg.Connection, zone: str, shift: timedelta) -> None:
    window = Window(FIRST + timedelta(days=365) - shift, FIRST + timedelta(days=729) + shift)
    found = await read_trends(connection, TrendQuestion(1, window, by_day=True, zone=ZoneInfo(zone)))
    series: Any = found["series"]
    edges = [datetime.fromisoformat(one["start"]) for one in series] + [window.end]
    for one, start, end in zip(series, edges, edges[1:], strict=False):
        assert {name: one[name] for name in ("positive", "neutral", "negative")} == expected_of(start, end)
    whole, before = expected_of(window.start, window.end), window.before()
    assert found["sentiment_counts"] == whole
    assert found["top_topics"] == [[subject, sum(whole.values())] for subject in SUBJECTS]
    assert found["previous"]["sentiment_counts"] == expected_of(before.start, before.end)  # type: ignore[index, call-overload]
    assert found["coverage"]["completed"] == whole["positive"]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("zone", "by_day", "days", "most"),
    [
        ("UTC", True, 365, 365 * (len(SUBJECTS) + 3) + 1_000),
        ("Europe/Berlin", True, 365, 365 * (len(SUBJECTS) + 3 + 4) + 1_000),
        ("UTC", False, 160, 160 * (24 + len(SUBJECTS) + 2) + 1_000),
    ],
)
async def test_a_year_is_read_from_days(
    connection: asyncpg.Connection, zone: str, *, by_day: bool, days: int, most: int
) -> None:
    remembering = Remembering(connection)
    end = FIRST + timedelta(days=725, hours=13)
    window = Window(end - timedelta(days=days), end)
    await read_trends(remembering, TrendQuestion(1, window, by_day=by_day, zone=ZoneInfo(zone)))
    assert await remembering.rows_read() <= most
