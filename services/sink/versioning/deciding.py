"""Decisions: trial, promotion, rollback, retirement. Each is one transaction, alone among all writers.

A promotion lets the statuses of all conversations follow the new version in that transaction. Readers go on meanwhile
and see the state before it; the sinks wait for it, and hold what comes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.runtime.counting import counted
from services.runtime.logs import get_logger
from services.sink.sql import decisions as sql
from services.sink.sql import versions as versions_sql
from services.sink.versioning.coverage import Standings, VersionStanding, read_standings

_log = get_logger(__name__)

_ACQUIRE_SECONDS = 10.0
_FLIP_SECONDS = 900.0


class Refused(Exception):  # noqa: N818 - it names what happened, as house style asks
    """A decision that cannot be taken now; `error` is its code, the text one sentence."""

    def __init__(self, error: str, details: str, **members: Any) -> None:
        super().__init__(details)
        self.error = error
        self.details = details
        self.members = members


class UnknownVersion(Exception):  # noqa: N818 - as above
    """Nothing is known under this version, and nobody has put it on trial."""


@dataclass(frozen=True, slots=True)
class By:
    """Who decides, and why."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision did. `decision` is none when it was so already."""

    version: str
    decision: int | None = None
    missing: int = 0
    """How many conversations the version lacks that do not come by themselves."""
    members: dict[str, Any] = field(default_factory=dict)


class Decisions:
    """Takes decisions on one database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin_trial(self, name: str, by: By) -> Decided:
        """Let live traffic be analysed under a version, too. Raises Refused, and what asyncpg raises."""
        async with self._alone() as (connection, standings):
            found = standings.of(name)
            if standings.active is None:
                raise Refused("no_active_version", "Nothing was analysed yet: promote the version right away.")
            if found is not None and found.state == "active":
                raise Refused("version_active", f"{name} is the active version: live traffic is analysed under it.")
            if found is not None and found.is_on_trial:
                return Decided(name)
            await _refuse_leaving(connection, name)
            await connection.execute(versions_sql.ADD, name)
            await connection.execute(sql.BEGIN_TRIAL, name)
            return Decided(name, await _note(connection, "trial", name, by))

    async def end_trial(self, name: str, by: By) -> Decided:
        """Analyse live traffic under it no more; what was found stays. Raises UnknownVersion, and as above."""
        async with self._alone() as (connection, standings):
            if not _known(standings, name).is_on_trial:
                return Decided(name)
            await connection.execute(sql.END_TRIAL, name)
            return Decided(name, await _note(connection, "trial_end", name, by))

    async def promote(self, name: str, by: By, *, now: bool) -> Decided:
        """Show it by default, and analyse live traffic under it instead of the active one.

        Raises UnknownVersion and, with the members `missing`, Refused while it lacks conversations, unless `now`.
        """
        async with self._alone() as (connection, standings):
            return await self._promote(connection, standings, _known(standings, name), "promotion", by, now=now)

    async def roll_back(self, by: By, *, now: bool) -> Decided:
        """Promote the version that was active before, by the same rule."""
        async with self._alone() as (connection, standings):
            previous = standings.previous
            if previous is None:
                raise Refused("no_previous_version", "No other version was active before.")
            return await self._promote(connection, standings, previous, "rollback", by, now=now)

    async def _promote(
        self, connection: Any, standings: Standings, version: VersionStanding, kind: str, by: By, *, now: bool
    ) -> Decided:
        if version.state == "active":
            return Decided(version.name, missing=version.missing)
        if version.state == "retired":
            raise Refused("version_retired", f"{version.name} is retired: put it on trial to begin anew.")
        if version.missing and not now:
            raise Refused(
                "coverage_incomplete",
                f"{version.name} has no outcome of {counted(version.missing, 'conversation')} yet: replay what it "
                f"lacks, or say `now: true` to show it at once.",
                missing=version.missing,
            )
        await connection.execute(versions_sql.DEACTIVATE, version.name)
        await connection.execute(sql.PROMOTE, version.name)
        moved = await connection.fetchval(sql.FOLLOW, version.version_id, timeout=_FLIP_SECONDS)
        decision = await _note(connection, kind, version.name, by)
        before = standings.active and standings.active.name
        _log.info("analysis_version_activated", analysis_version=version.name, instead_of=before, statuses=moved)
        return Decided(version.name, decision, version.missing, {"previous": before, "statuses_changed": moved})

    async def retire(self, name: str, by: By, *, now: bool) -> Decided:
        """Hide it at once; what it found is deleted in the background. One that never had anything leaves the list.

        Not so with `now`: it is, or stays, retired, so that whatever is asked for under it on the replay lane is let
        go.
        Raises UnknownVersion, unless `now`.
        Raises Refused while it is in use or may have the only outcome of some, the latter unless `now`.
        """
        async with self._alone() as (connection, standings):
            version = standings.of(name)
            if version is None:
                if not now:
                    raise UnknownVersion(name)
                await connection.execute(sql.ADD_RETIRED, name)
                return Decided(name, await _note(connection, "retirement", name, by))
            if version.state == "active" or version.is_on_trial:
                how = "active: promote another version first" if version.state == "active" else "on trial: end that"
                raise Refused("version_in_use", f"{name} is {how}.")
            if not now and await connection.fetchval(sql.FORGET, name) is not None:
                return Decided(name, await _note(connection, "retirement", name, by), members={"removed": True})
            if version.state == "retired":
                return Decided(name)
            if version.activated_at is not None and not now:
                await _refuse_losing(connection, standings, name)
            await connection.execute(sql.RETIRE, name)
            return Decided(name, await _note(connection, "retirement", name, by))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[tuple[Any, Standings]]:
        """In a transaction beside no writer's, with what is there."""
        async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection, connection.transaction():
            await connection.execute(versions_sql.LOCK)
            await connection.execute(sql.WHOLE_TABLES)
            yield connection, await read_standings(connection, datetime.now(UTC))


async def _refuse_leaving(connection: Any, name: str) -> None:
    rows = await connection.fetch(versions_sql.ALL)
    if any(row["name"] == name and row["state"] == "retired" and row["emptied_at"] is None for row in rows):
        raise Refused("version_retired", f"{name} was retired, and what it found is still being deleted: try later.")


async def _refuse_losing(connection: Any, standings: Standings, name: str) -> None:
    lacking = 0 if standings.active is None else standings.active.missing
    lacking += await connection.fetchval(sql.UNDER_WAY)
    if lacking:
        raise Refused(
            "coverage_incomplete",
            f"The active version has no outcome of {counted(lacking, 'conversation')}, and {name} may have the only "
            f"one, or be about to: replay what it lacks first, or say `now: true` to give those up.",
            missing=lacking,
        )


def _known(standings: Standings, name: str) -> VersionStanding:
    found = standings.of(name)
    if found is None:
        raise UnknownVersion(name)
    return found


async def _note(connection: Any, kind: str, name: str, by: By) -> int:
    decision: int = await connection.fetchval(sql.NOTE, kind, name, by.name, by.note)
    return decision
