"""Random sequences of posts, growth, results, promotions, rollbacks and kills against a model of what must stand."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Post:
    """A posting: the same words again, or the conversation has grown."""

    conversation: int
    words: str


@dataclass(frozen=True)
class Analyse:
    """A result of one of the conversation's revisions: the newest, or one that is late."""

    conversation: int
    back: int
    version: str
    kind: str


@dataclass(frozen=True)
class Promote:
    """None is a rollback."""

    version: str | None
    now: bool


@dataclass(frozen=True)
class Settle:
    """The analyzers were told long ago, and the background looks whether the active version has caught up."""


TOLD = datetime.fromtimestamp(800, UTC)
"""Before every posting: what is unfinished came after the analyzers were told."""

Step = Post | Analyse | Promote | Settle
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


@dataclass
class Model:
    """What must stand, in the plainest words."""

    revisions: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """Of each conversation every posting: its number and its words."""
    outcomes: dict[tuple[int, str], tuple[int, str]] = field(default_factory=dict)
    """By conversation and version the newest: the posting's number and the kind."""
    followed: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    statuses: dict[int, str] = field(default_factory=dict)
    is_decided: bool = False
    is_told: bool = False
    is_catching_up: bool = False

    def post(self, conversation: int, number: int, words: str) -> None:
        before = self.newest(conversation) if conversation in self.revisions else None
        self.revisions.setdefault(conversation, []).append((number, words))
        if self.newest(conversation) != before:
            self.statuses[conversation] = "queued"
            self.follow(conversation)

    def newest(self, conversation: int) -> int:
        """The number of the posting that last changed the words."""
        number, words = self.revisions[conversation][0]
        for later, said in self.revisions[conversation]:
            if said != words:
                number, words = later, said
        return number

    def kind(self, conversation: int, version: str) -> str | None:
        """What stands of the newest revision under a version."""
        number, kind = self.outcomes.get((conversation, version), (-1, ""))
        return kind if number >= self.newest(conversation) else None

    def follow(self, conversation: int) -> None:
        """The active version's word, or else that of the one before; once it has caught up, its word alone."""
        followed = self.followed[:1] if self.is_told and not self.is_catching_up else self.followed
        kinds = (self.kind(conversation, version) for version in followed)
        if conversation in self.statuses:
            self.statuses[conversation] = next(filter(None, kinds), self.statuses[conversation])

    def missing(self) -> int:
        """How many are finished, but not under the active version."""
        finished = [one for one, status in self.statuses.items() if status != "queued"]
        return sum(self.kind(one, self.followed[0]) is None for one in finished)

    def settle(self) -> None:
        if self.is_decided:
            self.is_told = True
            self.is_catching_up = self.is_catching_up and self.missing() > 0

    def counts(self, version: str) -> dict[str, int]:
        kinds = [self.kind(conversation, version) for conversation in self.revisions]
        return {kind: kinds.count(kind) for kind in KIND_RANKS}

    def add(self, conversation: int, version: str, number: int, kind: str) -> None:
        before = self.outcomes.get((conversation, version), (-1, "failed"))
        if (number, KIND_RANKS[kind]) > (before[0], KIND_RANKS[before[1]]):
            self.outcomes[conversation, version] = (number, kind)
        self.known.add(version)
        if not self.followed:
            self.followed.append(version)
        self.follow(conversation)

    def promote(self, version: str) -> None:
        if version == self.followed[0]:
            return
        self.followed = [version, *(one for one in self.followed if one != version)]
        self.is_decided, self.is_told, self.is_catching_up = True, False, True
        for conversation in self.statuses:
            if kind := self.kind(conversation, version):
                self.statuses[conversation] = kind

    def refuses(self, step: Promote) -> bool:
        """Whether the decision must be refused; one that says what is so already changes nothing."""
        version = self.target(step)
        if version is None:
            return True
        return version != self.followed[0] and not step.now and sum(self.counts(version).values()) < len(self.revisions)

    def target(self, step: Promote) -> str | None:
        if step.version is not None:
            return step.version
        return self.followed[1] if len(self.followed) > 1 else None


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
