"""Analysis versions: which the sink knows, which one is active, and what was stored of live traffic under them.

The first version ever seen becomes active. Later a version that live traffic comes under for the first time becomes
active: the operator switched the engine. That ends with the first decision of a person (versioning/): from then on
only people activate versions.

A conversation's status follows the active version. While that is catching up with what came before it was activated,
and as long as traffic decides, it follows the latest one that was active before instead, where the active one has no
outcome: what the engine of yesterday finished stays finished, and is counted as missing. Afterwards an outcome under
another version finishes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from services.runtime.logs import get_logger
from services.sink.batch import Batch
from services.sink.columns import VersionIds
from services.sink.sql import versions as sql

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Awaited:
    """A version that live traffic is analysed under since `live_since`, until a posting and an outcome showed it."""

    version_id: int
    name: str
    live_since: datetime


@dataclass(frozen=True, slots=True)
class KnownVersions:
    """The ids of all versions by name, but for retired ones.

    `followed` are those that statuses follow, the active one first.
    """

    ids: VersionIds
    followed: Sequence[int]
    active: str | None
    retired: VersionIds = field(default_factory=dict)
    awaited: Sequence[Awaited] = ()
    is_catching_up: bool = False
    """Whether the active version may lack conversations that came before it was activated."""

    def name_of(self, version_id: int) -> str:
        """The name of a version that is known, retired or not."""
        named = (name for ids in (self.ids, self.retired) for name, known_id in ids.items() if known_id == version_id)
        return next(named)

    @property
    def may_lack_some(self) -> bool:
        """Whether conversations may be finished under an earlier version alone."""
        return self.is_catching_up or len(self.followed) > 1

    @property
    def all_ids(self) -> VersionIds:
        """Those of retired versions, too."""
        return {**self.ids, **self.retired}


async def read_versions(connection: Any) -> KnownVersions:
    """What is known now."""
    rows = await connection.fetch(sql.ALL)
    kept = [row for row in rows if row["state"] != "retired"]
    active = next((row for row in kept if row["state"] == "active"), None)
    return KnownVersions(
        ids={row["name"]: row["version_id"] for row in kept},
        followed=[row["version_id"] for row in kept if row is active or _is_followed(row, active)],
        active=active and active["name"],
        retired={row["name"]: row["version_id"] for row in rows if row["state"] == "retired"},
        awaited=[
            Awaited(row["version_id"], row["name"], row["live_since"])
            for row in kept
            if row["live_since"] is not None and (row["posting_seen_at"] is None or row["outcome_seen_at"] is None)
        ],
        is_catching_up=active is not None and active["is_catching_up"],
    )


def _is_followed(earlier: Any, active: Any) -> bool:
    """Whether statuses follow a version that was active before.

    `live_since` is null while traffic decides, and until the analyzers were told of a promotion.
    """
    is_superseded = active is not None and active["live_since"] is not None and not active["is_catching_up"]
    return earlier["activated_at"] is not None and not is_superseded


async def note_seen(connection: Any, known: KnownVersions, batch: Batch) -> None:
    """Note what a batch shows of versions that live traffic was to be analysed under: whether it is.

    Before any other row of the batch is written: sinks meet on these rows.
    """
    seen = [_seen_of(one, batch) for one in known.awaited]
    if any(has_posting or has_outcome for _, has_posting, has_outcome in seen):
        await connection.execute(sql.SEEN, *zip(*seen, strict=True))


def _seen_of(awaited: Awaited, batch: Batch) -> tuple[int, bool, bool]:
    since_ms = awaited.live_since.timestamp() * 1000
    return (
        awaited.version_id,
        any(row.revision.timestamp_ms > since_ms for row in batch.conversations),
        any(
            row.is_live and row.version == awaited.name and row.revision.timestamp_ms > since_ms
            for row in batch.outcomes
        ),
    )


class ForgottenVersion(Exception):  # noqa: N818 - it names what was met, as house style asks
    """A person took a version off the list since it was added here: add it again."""


class VersionRegistry:
    """Adds versions before the first row under them is stored."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: set[str] = set()

    async def add_unknown(self, seen: Iterable[tuple[str, bool]]) -> None:
        """Add what is not known; `seen` gives names in order of arrival, and whether live traffic came under them."""
        unknown: dict[str, bool] = {}
        for name, is_live in seen:
            if name not in self._known:
                unknown[name] = unknown.get(name, False) or is_live
        if not unknown:
            return
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql.LOCK)
            for name, is_live in unknown.items():
                await _add(connection, name, is_live=is_live)
        self._known |= unknown.keys()

    def refuse_forgotten(self, batch: Batch, known: KnownVersions) -> None:
        """Raise ForgottenVersion when a version of the batch is not there any more."""
        forgotten = self._known.difference(known.ids, known.retired)
        if forgotten:
            self._known -= forgotten
            if any(name in forgotten for name, _ in batch.versions()):
                raise ForgottenVersion


async def _add(connection: Any, name: str, *, is_live: bool) -> None:
    if await connection.fetchval(sql.ADD, name) is None:
        return
    before = (await read_versions(connection)).active
    if before is None or (is_live and not await connection.fetchval(sql.IS_DECIDED)):
        await connection.execute(sql.DEACTIVATE, name)
        await connection.execute(sql.ACTIVATE, name, before is not None)
        _log.info("analysis_version_activated", analysis_version=name)
