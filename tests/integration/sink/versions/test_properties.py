"""Random sequences of posts, growth, results, promotions, rollbacks and kills against a model of what must stand."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.event import Lane
from schemas.outcome import Outcome
from services.sink.recount import differing_cells
from services.sink.rows import KIND_RANKS
from services.sink.sql import decisions as sql
from services.sink.versioning.coverage import missing_under
from services.sink.versioning.deciding import Decisions, Refused
from services.sink.versioning.upkeep import Upkeep
from services.sink.versions import read_versions
from tests.integration.sink.harness import Sink, failure, insight, posting, skip
from tests.integration.sink.versions.model import Analyse, Model, Post, Promote, Settle, Step
from tests.integration.sink.versions.world import WHO, World, at, name
from tests.waiting import eventually

VERSIONS = ("v1", "v2", "v3")
_EMPTY = """
    DO $$ BEGIN
        EXECUTE (
            SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') FROM pg_tables
            WHERE schemaname = current_schema AND tablename NOT IN ('schema_migrations', 'installation')
                AND tablename NOT LIKE 'dead_letter%'
        );
    END $$
"""
_BLOCKED = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

TOLD = datetime.fromtimestamp(800, UTC)
"""Before every posting: what is unfinished came after the analyzers were told."""

conversations = st.integers(0, 2)
steps = st.one_of(
    st.builds(Post, conversations, st.sampled_from("ab")),
    st.builds(
        Analyse,
        conversations,
        st.integers(0, 1),
        st.sampled_from(VERSIONS),
        st.sampled_from(["completed", "completed", "failed", "skipped"]),
    ),
    st.builds(Promote, st.sampled_from([*VERSIONS, None]), st.booleans()),
    st.builds(Settle),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(st.lists(st.tuples(steps, st.booleans()), min_size=8, max_size=40))
async def test_any_sequence_ends_in_what_the_model_says(pool: asyncpg.Pool, sequence: list[tuple[Step, bool]]) -> None:
    await pool.execute(_EMPTY)
    world, model = World(await Sink(pool).claim(), Decisions(pool)), Model()
    for number, (step, is_killed) in enumerate(sequence):
        work = applied(world, model, step, number)
        if work is None:
            continue
        if is_killed:
            await kill(pool, work)
        await work()  # what was killed is delivered, or decided, again
        await agrees(world, model)
    async with pool.acquire() as connection:
        assert await differing_cells(connection) == []


def applied(world: World, model: Model, step: Step, number: int) -> Callable[[], Awaitable[None]] | None:
    """The step on the model, and what does the same to the sink; None when it makes no sense here."""
    match step:
        case Post(conversation, words):
            model.post(conversation, number, words)
            return partial(world.sink.receive, posting(name(conversation), words, number, at=at(conversation)))
        case Analyse(conversation, back, version, kind):
            posted = model.revisions.get(conversation)
            if posted is None:
                return None
            revision, words = posted[max(0, len(posted) - 1 - back)]
            model.add(conversation, version, revision, kind)
            return partial(world.sink.finish, outcome_of(conversation, words, revision, version, kind))
        case Promote():
            if (step.version is not None and step.version not in model.known) or not model.followed:
                return None
            return decided(world, model, step)
        case Settle():
            model.settle()
            return partial(settle, world)


async def settle(world: World) -> None:
    if await world.sink.pool.fetchrow(sql.TO_ANNOUNCE) is not None:
        await world.announce(TOLD)
    await Upkeep(world.sink.pool, asyncio.Event()).note_caught_up()


def outcome_of(conversation: int, words: str, revision: int, version: str, kind: str) -> Outcome:
    if kind == "failed":
        event: Outcome = failure(name(conversation), words, revision, version=version)
    elif kind == "skipped":
        event = skip(name(conversation), words, revision, version=version)
    else:
        return insight(name(conversation), words, revision, version=version, at=at(conversation), lane=Lane.REPLAY)
    return event.model_copy(update={"lane": Lane.REPLAY})


def decided(world: World, model: Model, step: Promote) -> Callable[[], Awaitable[None]]:
    refuses, target = model.refuses(step), model.target(step)
    if not refuses and target is not None:
        model.promote(target)

    async def decide() -> None:
        try:
            found = await world.standings()
            if step.version is not None:
                await world.decisions.promote(step.version, WHO, now=step.now)
            elif found.active is None or found.active.name != target:  # a second rollback would go forward again
                await world.decisions.roll_back(WHO, now=step.now)
        except Refused:
            assert refuses
        else:
            assert not refuses

    return decide


async def agrees(world: World, model: Model) -> None:
    expected = {name(conversation): status for conversation, status in model.statuses.items()}
    assert await world.statuses() == expected
    standings = await world.standings()
    assert (standings.active.name if standings.active else None) == next(iter(model.followed), None)
    if standings.active is not None:
        assert (standings.active.missing, await counted_missing(world)) == (model.missing(), model.missing())
    for version in model.known:
        found = standings.of(version)
        assert found is not None
        assert {kind: getattr(found, kind) for kind in KIND_RANKS} == model.counts(version)


async def counted_missing(world: World) -> int | None:
    """What insights and trends say."""
    async with world.sink.pool.acquire() as connection:
        known = await read_versions(connection)
        return await missing_under(connection, known, known.active)


async def kill(pool: asyncpg.Pool, work: Callable[[], Awaitable[None]]) -> None:
    """Have Postgres end the work's connection in the middle of its transaction, where it comes to count statuses."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE rollup_status_hours IN EXCLUSIVE MODE")
        task = asyncio.ensure_future(work())

        async def is_blocked_or_done() -> Any:
            return task.done() or await pool.fetchval(_BLOCKED)  # outside of the transaction, which sees one moment

        await eventually(is_blocked_or_done, every_seconds=0.002, what="the work comes to its counts")
        if not task.done():
            await pool.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({_BLOCKED}) b")
        await transaction.rollback()
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await task
