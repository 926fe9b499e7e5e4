"""Promotion, rollback, trial and retirement: in one transaction, refused with a count, seen whole by every reader."""

import asyncio
from typing import Any

import asyncpg
import pytest

from services.sink.recount import differing_cells
from services.sink.sql import decisions as sql
from services.sink.sql import versions as versions_sql
from services.sink.versioning.deciding import Refused, UnknownVersion
from services.sink.versions import read_versions
from tests.integration.sink.harness import failure, insight, posting
from tests.integration.sink.versions.world import WHO, World, at, name
from tests.waiting import eventually


async def test_promotion_is_refused_with_the_number_of_conversations_that_lack(world: World) -> None:
    await world.receive(range(5))
    await world.analyse(range(5))
    await world.analyse(range(2), "v2")
    with pytest.raises(Refused) as refusal:
        await world.promote("v2")
    assert (refusal.value.error, refusal.value.members) == ("coverage_incomplete", {"missing": 3})
    assert (await world.of("v1")).state == "active"
    assert await world.fetchval("SELECT count(*) FROM version_decisions") == 0
    await world.analyse(range(2, 5), "v2")
    assert (await world.promote("v2")).missing == 0
    assert ((await world.of("v2")).state, (await world.of("v1")).state) == ("active", "candidate")


async def test_statuses_follow_the_promoted_version_and_back_again(world: World) -> None:
    await world.receive(range(4))
    await world.analyse(range(2))
    await world.sink.finish(failure(name(2), "words", 2), failure(name(3), "words", 3))
    await world.analyse(range(1, 4), "v2")
    await world.sink.finish(failure(name(0), "words", 0, version="v2"))
    assert list((await world.statuses()).values()) == ["completed", "completed", "failed", "failed"]
    await world.promote("v2")
    assert await world.statuses() == {
        name(0): "failed",
        name(1): "completed",
        name(2): "completed",
        name(3): "completed",
    }
    done = await world.decisions.roll_back(WHO, now=False)
    assert (done.version, done.members["statuses_changed"]) == ("v1", 3)
    assert sorted((await world.statuses()).values()) == ["completed", "completed", "failed", "failed"]


async def test_what_lacks_after_an_early_promotion_is_shown_as_before_and_counted(world: World) -> None:
    await world.receive(range(4))
    await world.analyse(range(3))
    await world.analyse(range(1), "v2")
    done = await world.promote("v2", now=True)
    assert done.missing == 4 - 1
    assert sorted((await world.statuses()).values()) == ["completed", "completed", "completed", "queued"]
    v2 = await world.of("v2")
    assert (v2.missing, v2.in_flight) == (2, 1)
    await world.analyse(range(1, 4), "v2")
    assert (await world.of("v2")).missing == 0


async def test_rollback_is_refused_for_what_came_under_the_new_version_alone(world: World) -> None:
    await world.receive(range(2))
    for version in ("v1", "v2"):
        await world.analyse(range(2), version)
    await world.promote("v2")
    await world.receive([2])
    await world.analyse([2], "v2")
    with pytest.raises(Refused, match="v1 has no outcome of 1 conversation yet"):
        await world.decisions.roll_back(WHO, now=False)
    await world.decisions.roll_back(WHO, now=True)
    assert set((await world.statuses()).values()) == {"completed"}
    assert (await world.of("v1")).missing == 1


async def test_nothing_to_roll_back_to_and_an_unknown_version_are_said_so(world: World) -> None:
    await world.receive([0])
    await world.analyse([0])
    with pytest.raises(Refused, match="No other version"):
        await world.decisions.roll_back(WHO, now=True)
    with pytest.raises(UnknownVersion):
        await world.promote("nobody")
    with pytest.raises(Refused, match="is the active version"):
        await world.decisions.begin_trial("v1", WHO)


async def test_a_version_on_trial_is_not_activated_by_traffic_and_live_is_both_until_promotion(world: World) -> None:
    await world.receive(range(2))
    await world.analyse(range(2))
    begun = await world.decisions.begin_trial("v2", WHO)
    assert begun.decision is not None
    assert (await world.decisions.begin_trial("v2", WHO)).decision is None  # it is on trial already
    events = [insight(name(number), "words", number, version="v2", at=at(number)) for number in range(2)]
    await world.sink.finish(*events)  # live
    await world.sink.finish(insight(name(0), "words", 0, version="v3"))
    assert (await world.standings()).active == await world.of("v1")
    row = await world.sink.pool.fetchrow(sql.TO_ANNOUNCE)
    assert (row["active_version"], row["trial_versions"]) == ("v1", ["v2"])
    await world.promote("v2")
    row = await world.sink.pool.fetchrow(sql.TO_ANNOUNCE)
    assert (row["active_version"], row["trial_versions"], row["kind"]) == ("v2", [], "promotion")


async def test_a_trial_that_ends_leaves_what_it_found(world: World) -> None:
    await world.receive(range(2))
    await world.analyse(range(2))
    await world.decisions.begin_trial("v2", WHO)
    await world.analyse([0], "v2")
    await world.decisions.end_trial("v2", WHO)
    assert (await world.decisions.end_trial("v2", WHO)).decision is None
    found = await world.of("v2")
    assert (found.state, found.is_live, found.completed) == ("candidate", False, 1)


async def test_that_live_traffic_is_analysed_under_a_version_is_noted_by_what_came_later(world: World) -> None:
    await world.receive([0])
    await world.analyse([0])
    await world.decisions.begin_trial("v2", WHO)
    assert not (await world.of("v2")).is_seen_live  # nobody was told yet
    announced_ms = 1_000_000 + 10
    since = await world.fetchval("SELECT to_timestamp($1 / 1000.0)", announced_ms)
    await world.announce(since)
    assert (await world.of("v2")).is_seen_live  # nothing was received since
    await world.sink.receive(posting(name(5), "words", 5))
    assert (await world.of("v2")).is_seen_live
    await world.sink.receive(posting(name(20), "words", 20))
    assert not (await world.of("v2")).is_seen_live
    await world.sink.finish(insight(name(5), "words", 5, version="v2"), insight(name(20), "words", 20))
    assert not (await world.of("v2")).is_seen_live
    await world.sink.finish(insight(name(20), "words", 20, version="v2"))
    assert (await world.of("v2")).is_seen_live


async def test_every_reader_sees_the_state_before_a_promotion_or_after_it(world: World) -> None:
    count = 300
    await world.receive(range(count))
    await world.sink.finish(*(failure(name(number), "words", number) for number in range(count)))
    await world.analyse(range(count), "v2")
    seen: set[tuple[str | None, int, int]] = set()
    stop = asyncio.Event()

    async def read() -> None:
        while not stop.is_set():
            seen.add(await _state(world.sink.pool))

    async with asyncio.TaskGroup() as readers:
        readers.create_task(read())
        for _ in range(3):
            await world.promote("v2")
            await world.promote("v1")
        stop.set()
    assert seen <= {("v1", count, 0), ("v2", 0, count)}


async def _state(pool: asyncpg.Pool) -> tuple[str | None, int, int]:
    """What a question sees: which version is active, and the statuses as a list and as counted."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        active = (await read_versions(connection)).active
        failed = await connection.fetchval("SELECT count(*) FROM conversations WHERE status = 'failed'")
        row = await connection.fetchrow(
            "SELECT sum(failed), sum(completed) FROM rollup_status_hours WHERE channel = ''"
        )
        assert failed == row[0]
    return active, row[0], row[1]


async def test_readers_go_on_and_writers_wait_while_a_promotion_is_under_way(world: World) -> None:
    await world.receive(range(3))
    for version in ("v1", "v2"):
        await world.analyse(range(3), version)
    async with world.sink.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(versions_sql.LOCK)  # as a promotion holds it
        assert (await _state(world.sink.pool))[0] == "v1"
        writing = asyncio.create_task(world.receive([7]))
        await _until_waiting(connection)
        assert not writing.done()
        await transaction.rollback()
        await writing
    assert len(await world.statuses()) == 4


async def _until_waiting(connection: Any) -> None:
    async def waits() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        return bool(await connection.fetchval(query))

    await eventually(waits, what="the writer waits for the lock")


async def test_the_counts_agree_with_a_recount_after_each_decision(world: World) -> None:
    await world.receive(range(6))
    await world.analyse(range(6))
    await world.sink.finish(*(failure(name(number), "words", number, version="v2") for number in range(3)))
    for decide in (
        world.promote("v2", now=True),
        world.decisions.roll_back(WHO, now=True),
        world.decisions.retire("v2", WHO, now=False),
    ):
        await decide
        async with world.sink.pool.acquire() as connection:
            assert await differing_cells(connection) == []
