"""How much a version covers: counted as rows move, exactly, and found by walking."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

from services.sink.versioning.coverage import BEGINNING, walk_missing
from services.sink.versioning.upkeep import Upkeep
from services.sink.versions import read_versions
from tests.integration.sink.harness import failure, insight, posting, skip, started
from tests.integration.sink.versions.world import WHO, World, at, name


async def missing_ids(world: World, version: str) -> list[str]:
    async with world.sink.pool.acquire() as connection:
        ids = (await read_versions(connection)).ids
        pages = walk_missing(connection, ids[version], BEGINNING)
        return [row["conversation_id"] async for page in pages for row in page if row["is_missing"]]


async def test_accepted_is_the_sum_of_what_is_covered_in_flight_and_missing(world: World) -> None:
    await world.receive(range(10))
    await world.analyse(range(6))
    await world.sink.finish(failure(name(6), "words", 6), skip(name(7), "words", 7))
    await world.analyse(range(3), "v2")
    v1, v2 = await world.of("v1"), await world.of("v2")
    assert (v1.completed, v1.failed, v1.skipped, v1.in_flight, v1.missing) == (6, 1, 1, 2, 0)
    assert (v2.completed, v2.failed, v2.skipped, v2.in_flight, v2.missing) == (3, 0, 0, 0, 7)
    assert await missing_ids(world, "v2") == [name(number) for number in range(3, 10)]


async def test_a_newer_revision_is_missing_until_it_is_analysed_itself(world: World) -> None:
    await world.receive(range(2))
    await world.analyse(range(2))
    await world.analyse(range(2), "v2")
    await world.receive([0], "other words", after=100)
    assert (await world.of("v2")).missing == 1
    assert await missing_ids(world, "v2") == [name(0)]
    await world.analyse([0], "v2", after=50)  # a late result of an older revision
    assert (await world.of("v2")).missing == 1
    await world.analyse([0], "v2", words="other words", after=100)
    assert (await world.of("v2")).missing == 0
    assert await missing_ids(world, "v2") == []


async def test_outcomes_that_come_before_their_conversation_cover_it_when_it_comes(world: World) -> None:
    await world.analyse(range(3))
    assert (await world.of("v1")).completed == 0
    await world.receive(range(3))
    assert (await world.of("v1")).completed == 3


async def test_every_way_of_writing_is_counted_whatever_the_order(world: World) -> None:
    sink = world.sink
    moments = itertools.cycle([0, 1, 7, 90])
    for turn in range(4):
        rows = [
            posting(name(number), f"words {turn % 3}", turn * 20 + number, at=at(next(moments))) for number in range(12)
        ]
        events = [
            insight(name(number), f"words {turn % 3}", turn * 20 + number, version=version)
            for number in range(turn, 12)
            for version in ("v1", "v2")[: 1 + number % 2]
        ]
        await sink.start(*(started(name(number), turn * 20 + number) for number in range(6)))
        await (sink.store_mixed(rows, events) if turn % 2 else sink.store_mixed([], events))
        await sink.receive(*rows)
        await Upkeep(sink.pool, _never()).fold()
    # The fixture compares the counts with a recount of the rows.
    assert (await world.standings()).accepted == 12
    assert await world.fetchval("SELECT count(*) FROM coverage_changes") == 0


def _never() -> asyncio.Event:
    return asyncio.Event()


async def test_what_a_version_on_trial_was_not_asked_for_long_is_in_flight_and_not_missing(world: World) -> None:
    await world.receive(range(4))
    await world.analyse(range(4))
    await world.decisions.begin_trial("v2", WHO)
    now = datetime.now(UTC)
    await world.announce(now - timedelta(seconds=30))
    assert ((await world.of("v2")).in_flight, (await world.of("v2")).missing) == (0, 4)
    await world.sink.pool.execute(
        "UPDATE conversations SET revision_ms = $1 WHERE conversation_id = $2",
        int((now - timedelta(seconds=10)).timestamp() * 1000),
        name(0),
    )
    assert ((await world.of("v2")).in_flight, (await world.of("v2")).missing) == (1, 3)
    await world.sink.pool.execute("UPDATE analysis_versions SET live_since = now() - interval '1 hour'")
    await world.sink.pool.execute(
        "UPDATE conversations SET revision_ms = revision_ms - 600000 WHERE conversation_id = $1", name(0)
    )
    assert ((await world.of("v2")).in_flight, (await world.of("v2")).missing) == (0, 4)
