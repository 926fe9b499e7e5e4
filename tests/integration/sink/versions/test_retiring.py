"""Retirement: hidden at once, deleted bit by bit whoever is killed, and nothing comes back by itself."""

import asyncio

import pytest

from schemas.event import Lane
from services.sink.recount import differing_cells
from services.sink.removal import remove_conversations
from services.sink.sql import decisions as decisions_sql
from services.sink.sql import retirement as sql
from services.sink.versioning.announcing import announcement
from services.sink.versioning.deciding import Refused, UnknownVersion
from services.sink.versioning.upkeep import Upkeep, remove_page
from services.sink.versions import read_versions
from tests.integration.sink.harness import skip, started
from tests.integration.sink.versions.world import WHO, World, name

_ROWS = """
    SELECT (SELECT count(*) FROM current_outcomes o WHERE o.version_id = v.version_id)
        + (SELECT count(*) FROM insights i WHERE i.version_id = v.version_id)
        + (SELECT count(*) FROM rollup_minutes r WHERE r.version_id = v.version_id)
        + (SELECT count(*) FROM rollup_hours r WHERE r.version_id = v.version_id)
        + (SELECT count(*) FROM coverage_hours r WHERE r.version_id = v.version_id)
    FROM analysis_versions v WHERE v.name = $1
"""


async def two_versions(world: World, count: int = 7) -> None:
    await world.receive(range(count))
    for version in ("v1", "v2"):
        await world.analyse(range(count), version)


async def test_a_retired_version_is_unknown_at_once_and_gone_soon(world: World) -> None:
    await two_versions(world)
    await world.decisions.retire("v2", WHO, now=False)
    async with world.sink.pool.acquire() as connection:
        assert list((await read_versions(connection)).ids) == ["v1"]
    assert await world.fetchval(_ROWS, "v2") > 0
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert await world.fetchval(_ROWS, "v2") == 0
    assert await world.fetchval("SELECT emptied_at IS NOT NULL FROM analysis_versions WHERE name = 'v2'")
    assert (await world.of("v1")).completed == 7


async def test_deletion_that_was_killed_between_two_batches_goes_on_and_counts_agree_meanwhile(world: World) -> None:
    await two_versions(world)
    await world.decisions.retire("v2", WHO, now=False)
    async with world.sink.pool.acquire() as connection:
        version_id = await connection.fetchval("SELECT version_id FROM analysis_versions WHERE name = 'v2'")
        async with connection.transaction():
            assert await remove_page(connection, version_id, 3) == 3
        killed = connection.transaction()
        await killed.start()
        await remove_page(connection, version_id, 3)
        await killed.rollback()  # as Postgres does for whoever is killed
        assert await differing_cells(connection) == []
        assert await connection.fetchval("SELECT count(*) FROM current_outcomes WHERE version_id = $1", version_id) == 4
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert await world.fetchval(_ROWS, "v2") == 0


async def test_of_two_sinks_one_deletes_at_a_time(world: World) -> None:
    await two_versions(world)
    await world.decisions.retire("v2", WHO, now=False)
    async with world.sink.pool.acquire() as connection, connection.transaction():
        assert await connection.fetchval(sql.LOCK)
        await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert await world.fetchval(_ROWS, "v2") > 0


async def test_what_comes_late_under_a_retired_version_is_left_out(world: World) -> None:
    await two_versions(world)
    await world.decisions.retire("v2", WHO, now=False)
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    await world.receive([8])
    await world.analyse([8], "v2")
    assert await world.fetchval(_ROWS, "v2") == 0


async def test_the_active_version_and_one_on_trial_are_not_retired(world: World) -> None:
    await two_versions(world)
    await world.decisions.begin_trial("v3", WHO)
    for version, why in (("v1", "active"), ("v3", "on trial")):
        with pytest.raises(Refused, match=why):
            await world.decisions.retire(version, WHO, now=True)


async def test_a_version_that_has_the_only_results_of_some_conversations_is_kept_unless_told(world: World) -> None:
    await world.receive(range(3))
    await world.analyse(range(3))
    await world.analyse(range(2), "v2")
    await world.promote("v2", now=True)
    with pytest.raises(Refused) as refusal:
        await world.decisions.retire("v1", WHO, now=False)
    assert refusal.value.members == {"missing": 1}
    await world.decisions.retire("v1", WHO, now=True)
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert set((await world.statuses()).values()) == {"completed"}


async def test_a_retired_version_can_begin_anew_once_it_is_empty(world: World) -> None:
    await two_versions(world)
    await world.decisions.retire("v2", WHO, now=False)
    with pytest.raises(Refused, match="still being deleted"):
        await world.decisions.begin_trial("v2", WHO)
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    await world.decisions.begin_trial("v2", WHO)
    await world.analyse([0], "v2")
    found = await world.of("v2")
    assert (found.state, found.completed, found.missing) == ("candidate", 1, 6)


async def test_a_misspelt_version_that_was_tried_leaves_the_list(world: World) -> None:
    await two_versions(world)
    await world.decisions.begin_trial("vv2", WHO)
    await world.decisions.end_trial("vv2", WHO)
    done = await world.decisions.retire("vv2", WHO, now=False)
    assert done.members == {"removed": True}
    assert done.decision is not None, "the analyzers are told"
    assert [one.name for one in (await world.standings()).versions] == ["v1", "v2"]
    with pytest.raises(UnknownVersion):
        await world.decisions.retire("vv2", WHO, now=False)


async def test_a_version_stays_on_the_list_as_long_as_it_has_found_or_cost_something(world: World) -> None:
    await two_versions(world)
    await world.sink.start(started("c000", 0, version="v2"))
    assert not (await world.decisions.retire("v2", WHO, now=False)).members
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert (await world.decisions.retire("v2", WHO, now=False)).decision is None
    assert (await world.of("v2")).state == "retired"


async def test_what_comes_under_a_version_that_left_the_list_makes_it_known_again(world: World) -> None:
    await two_versions(world)
    await world.sink.finish(skip("c001", "words", 1, version="v3").model_copy(update={"lane": Lane.REPLAY}))
    async with world.sink.pool.acquire() as connection, connection.transaction():
        await remove_conversations(connection, [name(1)])
    await world.decisions.retire("v3", WHO, now=False)
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert (await world.decisions.retire("v3", WHO, now=False)).members == {"removed": True}
    await world.analyse([2], "v3")
    assert (await world.of("v3")).completed == 1


async def test_a_version_that_nothing_is_known_under_is_retired_only_when_told(world: World) -> None:
    await two_versions(world)
    with pytest.raises(UnknownVersion):
        await world.decisions.retire("typo", WHO, now=False)
    await world.decisions.retire("typo", WHO, now=True)
    row = await world.sink.pool.fetchrow(decisions_sql.TO_ANNOUNCE)
    assert announcement(row).retired == ("typo",)
    await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    await world.decisions.retire("typo", WHO, now=False)
    row = await world.sink.pool.fetchrow(decisions_sql.TO_ANNOUNCE)
    assert announcement(row).retired == ()


async def test_told_to_let_go_of_copies_a_version_stays_retired_however_often_it_is_said(world: World) -> None:
    await two_versions(world)
    await world.decisions.begin_trial("typo", WHO)
    await world.decisions.end_trial("typo", WHO)
    for is_first in (True, False):
        done = await world.decisions.retire("typo", WHO, now=True)
        assert (done.members, done.decision is not None) == ({}, is_first)
        row = await world.sink.pool.fetchrow(decisions_sql.TO_ANNOUNCE)
        assert announcement(row).retired == ("typo",), "analyzers let go of what waits for it"
        await Upkeep(world.sink.pool, asyncio.Event()).empty_retired()
    assert (await world.decisions.retire("typo", WHO, now=False)).members == {"removed": True}


async def test_a_version_is_kept_while_conversations_of_before_may_still_be_analysed_under_it_alone(
    world: World,
) -> None:
    await two_versions(world)
    await world.receive([8])
    await world.promote("v2", now=True)
    assert (await world.of("v2")).missing == 0, "what has no outcome at all is on its way"
    with pytest.raises(Refused) as refusal:
        await world.decisions.retire("v1", WHO, now=False)
    assert refusal.value.members == {"missing": 1}
    await world.analyse([8], "v1")
    await world.analyse([8], "v2")
    await world.decisions.retire("v1", WHO, now=False)


async def test_erasure_takes_a_conversation_out_of_every_version(world: World) -> None:
    await two_versions(world)
    async with world.sink.pool.acquire() as connection, connection.transaction():
        await remove_conversations(connection, [name(0)])
    assert ((await world.of("v1")).completed, (await world.of("v2")).completed) == (6, 6)
    assert ((await world.of("v1")).missing, (await world.of("v2")).missing) == (0, 0)
