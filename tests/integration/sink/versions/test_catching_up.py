"""Whose outcome finishes a conversation: the active version's, or an earlier one's while that catches up."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from services.sink.reads.conversations import read_conversation
from services.sink.versioning.coverage import missing_under
from services.sink.versioning.upkeep import Upkeep
from services.sink.versions import read_versions
from tests.integration.sink.harness import insight
from tests.integration.sink.versions.world import WHO, World, at, name
from tests.waiting import eventually

TOLD = datetime.fromtimestamp(900, UTC)
"""When the analyzers were told of the promotion: about when the first conversations of the tests came."""
LATER = 200_000
"""Milliseconds from the first conversations to those that came well after that."""


async def promoted(world: World, covered: int = 3, *, is_told: bool = True) -> None:
    """Three conversations under v1; v2 has some of them, and is active."""
    await world.receive(range(3))
    await world.analyse(range(3))
    await world.analyse(range(covered), "v2")
    await world.promote("v2", now=True)
    if is_told:
        await world.announce(TOLD)


async def upkeep(world: World) -> None:
    await Upkeep(world.sink.pool, asyncio.Event()).note_caught_up()


async def v1_analyses_what_comes_later(world: World) -> None:
    """The background looks whether the active version has caught up; then conversation 7 comes."""
    await upkeep(world)
    await world.receive([7], after=LATER)
    await world.analyse([7], "v1", after=LATER)


async def is_catching_up(world: World) -> bool:
    async with world.sink.pool.acquire() as connection:
        return (await read_versions(connection)).is_catching_up


async def counted_missing(world: World) -> int | None:
    """What insights and trends say; what `versions list` says is the same."""
    async with world.sink.pool.acquire() as connection:
        known = await read_versions(connection)
        missing = await missing_under(connection, known, known.active)
    standing = (await world.standings()).active
    assert standing is not None
    assert standing.missing == missing
    return missing


async def shown(world: World, number: int) -> Any:
    async with world.sink.pool.acquire() as connection:
        return await read_conversation(connection, name(number), await read_versions(connection))


async def test_an_outcome_under_an_earlier_version_finishes_nothing_that_came_after_the_active_one_caught_up(
    world: World,
) -> None:
    await promoted(world)
    await v1_analyses_what_comes_later(world)
    assert (await world.statuses())[name(7)] == "queued"
    assert ((await world.of("v2")).in_flight, await counted_missing(world)) == (1, 0)
    found = await shown(world, 7)
    assert (found["status"], found["insight"], len(found["history"])) == ("queued", None, 1)
    await world.analyse([7], "v2", after=LATER)
    assert (await world.statuses())[name(7)] == "completed"
    assert (await shown(world, 7))["insight"]["analysis_version"] == "v2"


async def test_what_the_active_version_has_not_finished_follows_the_version_that_is_rolled_back_to(
    world: World,
) -> None:
    await promoted(world)
    await v1_analyses_what_comes_later(world)
    await world.decisions.roll_back(WHO, now=True)
    assert set((await world.statuses()).values()) == {"completed"}
    assert await counted_missing(world) == 0


async def test_what_was_under_way_at_a_promotion_is_finished_by_the_version_before_and_counted(world: World) -> None:
    await promoted(world)
    await world.receive([3])  # before the analyzers were told
    await upkeep(world)
    assert await is_catching_up(world)
    await world.analyse([3], "v1")
    assert ((await world.statuses())[name(3)], await counted_missing(world)) == ("completed", 1)
    await upkeep(world)
    assert await is_catching_up(world)
    await world.analyse([3], "v2")
    await upkeep(world)
    assert (await is_catching_up(world), await counted_missing(world)) == (False, 0)


async def test_until_the_analyzers_are_told_the_version_before_finishes_what_comes(world: World) -> None:
    await promoted(world, is_told=False)
    await v1_analyses_what_comes_later(world)
    assert ((await world.statuses())[name(7)], await counted_missing(world)) == ("completed", 1)


async def test_what_is_just_being_finished_by_the_version_before_keeps_the_active_one_catching_up(
    world: World,
) -> None:
    await promoted(world)
    await world.receive([7], after=LATER)
    pool = world.sink.pool
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE rollup_status_hours IN EXCLUSIVE MODE")
        writing = asyncio.create_task(world.analyse([7], "v1", after=LATER))
        await eventually(lambda: waiting_for(world, "relation"), what="the writer comes to its counts")
        looking = asyncio.create_task(upkeep(world))
        await eventually(lambda: waiting_for(world, "advisory"), what="the background waits for the writer")
        await transaction.rollback()
        await asyncio.gather(writing, looking)
    assert (await is_catching_up(world), await counted_missing(world)) == (True, 1)


async def waiting_for(world: World, lock: str) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = $1 AND datname = current_database()"
    return bool(await world.fetchval(query, lock))


async def test_what_an_older_release_let_an_earlier_version_finish_is_counted(world: World) -> None:
    await promoted(world, covered=2)
    await world.sink.pool.execute("UPDATE analysis_versions SET is_catching_up = false")
    assert (await world.of("v2")).missing == 1
    await Upkeep(world.sink.pool, asyncio.Event()).note_behind()
    assert (await is_catching_up(world), await counted_missing(world)) == (True, 1)


async def test_while_traffic_decides_an_engine_that_is_switched_back_finishes_what_comes(world: World) -> None:
    await world.receive([0])
    await world.analyse([0])
    await world.sink.finish(insight(name(0), "words", 0, version="v2", at=at(0)))  # live: it becomes active
    await v1_analyses_what_comes_later(world)
    assert ((await world.of("v2")).state, (await world.statuses())[name(7)]) == ("active", "completed")
    assert await counted_missing(world) == 1
