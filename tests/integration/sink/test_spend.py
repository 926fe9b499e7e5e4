"""What was paid for is counted once, whatever becomes of the answer."""

import asyncio
import uuid
from datetime import timedelta

from schemas.analysis_failed import AnalysisFailed
from schemas.insight_produced import InsightProduced
from services.sink.sql import erasures
from services.sink.versioning.deciding import By, Decisions
from services.sink.versioning.upkeep import Upkeep
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting

COST = 150_000
"""Nanodollars of `paid`."""


def paid(conversation_id: str, number: int, version: str = "v1") -> InsightProduced:
    usage = {"input_tokens": 100, "output_tokens": 20, "cost_usd": COST / 1e9}
    return insight(conversation_id, "a", number, version=version).model_copy(update=usage)


def paid_in_vain(conversation_id: str, number: int, version: str = "v1") -> AnalysisFailed:
    usage = {"input_tokens": 100, "output_tokens": 20, "cost_usd": COST / 1e9}
    return failure(conversation_id, "a", number, version=version).model_copy(update=usage)


async def spent(sink: Sink) -> tuple[int, int]:
    """Tokens and nanodollars of all days."""
    row = await sink.pool.fetchrow("SELECT sum(input_tokens + output_tokens), sum(cost_nanousd) FROM daily_usage")
    return int(row[0] or 0), int(row[1] or 0)


async def retire_v2(sink: Sink) -> None:
    """Whichever came to be active first: v1 is it now."""
    await sink.pool.execute("UPDATE analysis_versions SET state = 'candidate', activated_at = NULL WHERE name = 'v2'")
    await sink.pool.execute("UPDATE analysis_versions SET state = 'active' WHERE name = 'v1'")
    await Decisions(sink.pool).retire("v2", By("a test"), now=True)


async def test_what_comes_late_under_a_retired_version_is_left_out_and_its_cost_is_counted(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c2", "a", 2))
    await sink.finish(insight("c1", "a", 1), paid("c1", 1, "v2"))
    await retire_v2(sink)
    await Upkeep(sink.pool, asyncio.Event()).empty_retired()
    assert await spent(sink) == (120, COST)
    await sink.finish(paid("c2", 2, "v2"), paid("c2", 2, "v1"))
    assert await spent(sink) == (3 * 120, 3 * COST)
    assert await sink.pool.fetchval("SELECT count(*) FROM insights WHERE conversation_id = 'c2'") == 1


async def test_a_second_answer_for_the_same_content_is_counted_and_a_copy_of_the_first_is_not(sink: Sink) -> None:
    first = paid("c1", 1)
    await sink.finish(first, first)
    await sink.finish(first)
    assert await spent(sink) == (120, COST)
    again = first.model_copy(update={"batch_id": uuid.uuid4()})
    await sink.finish(again, again)
    assert await spent(sink) == (2 * 120, 2 * COST)


async def test_what_was_spent_on_a_conversation_that_was_erased_meanwhile_is_counted(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    await sink.pool.execute(erasures.ERASE, "c1")
    await sink.finish(paid("c1", 1))
    assert await sink.pool.fetchval("SELECT count(*) FROM insights") == 0
    assert await spent(sink) == (120, COST)


async def test_what_a_failure_took_is_counted_once_however_often_it_is_said(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1))
    failed = paid_in_vain("c1", 1)
    await sink.finish(failed, failed)
    await sink.finish(failed)
    assert await spent(sink) == (120, COST)
    again = failed.model_copy(update={"failed_at": NOW + timedelta(seconds=5)})
    await sink.finish(again, paid("c1", 1))
    assert await spent(sink) == (3 * 120, 3 * COST)


async def test_a_failure_of_an_older_release_took_nothing_that_is_known(sink: Sink) -> None:
    await sink.finish(failure("c1", "a", 1))
    assert await spent(sink) == (0, 0)


async def test_what_was_spent_in_vain_on_who_was_erased_or_under_a_retired_version_is_counted(sink: Sink) -> None:
    await sink.receive(posting("c1", "a", 1), posting("c2", "a", 2))
    await sink.finish(insight("c1", "a", 1), paid_in_vain("c2", 2, "v2"))
    await retire_v2(sink)
    await sink.finish(paid_in_vain("c1", 1, "v2"))
    await sink.pool.execute(erasures.ERASE, "c1")
    await sink.finish(paid_in_vain("c1", 1))
    assert await spent(sink) == (3 * 120, 3 * COST)
