"""How much of all conversations each version covers, and which ones it lacks.

accepted = completed + skipped + failed + in flight + missing, for each version. In flight is what comes by itself:
under the active version what has no outcome at all yet; under one on trial what was received a moment ago, after the
analyzers were told. The rest is missing until it is replayed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.sink.reads.members import Row
from services.sink.sql import coverage as sql
from services.sink.sql import decisions as decisions_sql
from services.sink.sql import reads as reads_sql
from services.sink.sql import versions as versions_sql
from services.sink.versions import KnownVersions
from services.sink.windows import HOUR, floor_to

Place = tuple[datetime, str]
"""Time and id of the conversation behind which a walk goes on."""

BEGINNING: Place = (datetime(1900, 1, 1, tzinfo=UTC), "")
IN_FLIGHT_SECONDS = 120.0
"""An outcome under a version on trial may take so long; later it counts as missing."""
_LOOKED_THROUGH = 10_000
"""Of more that are missing, those in flight are not told apart: the version is far from complete anyway."""
_HOURS = 200
_WALKED = 1_000


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """How a version stands."""

    name: str
    version_id: int
    state: str
    activated_at: datetime | None
    live_since: datetime | None
    is_live: bool
    is_on_trial: bool
    is_seen_live: bool
    """Whether nothing was received since live traffic is to be analysed under it, or some of it was analysed so."""
    completed: int
    skipped: int
    failed: int
    in_flight: int
    missing: int
    calls: int
    tokens: int
    cost_nanousd: int


@dataclass(frozen=True, slots=True)
class Standings:
    """All versions at one moment."""

    accepted: int
    versions: Sequence[VersionStanding]
    is_announced: bool
    decided_at: datetime | None

    def of(self, name: str) -> VersionStanding | None:
        """The version of this name."""
        return next((one for one in self.versions if one.name == name), None)

    @property
    def active(self) -> VersionStanding | None:
        return next((one for one in self.versions if one.state == "active"), None)

    @property
    def previous(self) -> VersionStanding | None:
        """The version that was active before."""
        earlier = [one for one in self.versions if one.state == "candidate" and one.activated_at is not None]
        return max(earlier, key=lambda one: one.activated_at or BEGINNING[0], default=None)


async def read_standings(connection: Any, now: datetime) -> Standings:
    """Count everything, as of the transaction's moment."""
    statuses = await connection.fetchrow(reads_sql.STATUS_COUNTS)
    accepted = sum(int(count) for count in statuses.values())
    unfinished = int(statuses["queued"]) + int(statuses["processing"])
    covered = {row["version_id"]: row for row in await connection.fetch(sql.COVERED)}
    costs = {row["version_id"]: row for row in await connection.fetch(sql.COSTS)}
    standings = []
    for row in await connection.fetch(versions_sql.ALL):
        counts = _counts(covered.get(row["version_id"]))
        lacking = accepted - sum(counts.values())
        in_flight = unfinished if row["state"] == "active" else await _in_flight(connection, row, lacking, now)
        standings.append(_standing(row, counts, lacking, in_flight, costs.get(row["version_id"])))
    newest = await connection.fetchrow(decisions_sql.NEWEST)
    is_announced = newest is None or newest["announced_at"] is not None
    return Standings(accepted, standings, is_announced, newest and newest["decided_at"])


def _counts(row: Row | None) -> dict[str, int]:
    return {name: 0 if row is None else row[name] for name in ("completed", "skipped", "failed")}


def _standing(row: Row, counts: Mapping[str, int], lacking: int, in_flight: int, cost: Row | None) -> VersionStanding:
    return VersionStanding(
        name=row["name"],
        version_id=row["version_id"],
        state=row["state"],
        activated_at=row["activated_at"],
        live_since=row["live_since"],
        is_live=row["state"] == "active" or row["is_on_trial"],
        is_on_trial=row["is_on_trial"],
        is_seen_live=row["live_since"] is not None
        and (row["posting_seen_at"] is None or row["outcome_seen_at"] is not None),
        **counts,
        in_flight=in_flight,
        missing=lacking - in_flight,
        calls=0 if cost is None else cost["calls"],
        tokens=0 if cost is None else cost["tokens"],
        cost_nanousd=0 if cost is None else cost["cost_nanousd"],
    )


async def _in_flight(connection: Any, row: Row, lacking: int, now: datetime) -> int:
    if row["live_since"] is None or not 0 < lacking <= _LOOKED_THROUGH:
        return 0
    since_ms = max(row["live_since"], now - timedelta(seconds=IN_FLIGHT_SECONDS)).timestamp() * 1000
    pages = walk_missing(connection, row["version_id"], BEGINNING)
    return sum([one["revision_ms"] > since_ms async for page in pages for one in page if one["is_missing"]])


async def walk_missing(connection: Any, version_id: int, after: Place) -> AsyncIterator[Sequence[Row]]:
    """Conversations of hours in which some are missing under a version, page by page; `is_missing` says which."""
    place = after
    while hours := await connection.fetch(sql.LACKING_HOURS, version_id, floor_to(place[0], HOUR), _HOURS):
        for hour in hours:
            end = hour["bucket"] + HOUR
            place = max(place, (hour["bucket"], ""))
            while page := await connection.fetch(sql.WALK, version_id, end, *place, _WALKED):
                place = (page[-1]["occurred_at"], page[-1]["conversation_id"])
                yield page
            place = max(place, (end, ""))
        if len(hours) < _HOURS:
            return


async def missing_under(connection: Any, known: KnownVersions, version: str | None) -> int | None:
    """How many finished conversations lack an outcome under the version that is shown by default.

    An earlier version finished them. None for a version that is not shown by default.
    """
    if version is None or version != known.active:
        return None
    return await count_missing(connection, known.ids[version]) if known.may_lack_some else 0


async def count_missing(connection: Any, version_id: int) -> int:
    """The same of the active version, counted: those in flight lack one, too, and are left out."""
    statuses = await connection.fetchrow(reads_sql.STATUS_COUNTS)
    finished = sum(int(statuses[name]) for name in ("completed", "skipped", "failed"))
    return max(0, finished - int(await connection.fetchval(sql.COVERED_BY, version_id)))
