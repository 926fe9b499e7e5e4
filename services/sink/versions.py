"""Analysis versions: which the sink knows, and which one is active.

The first version ever seen becomes active. Later a version that live traffic comes under for the first time becomes
active: the operator switched the engine. A version that is known already is activated by an operator only.
A conversation's status follows the active version, or else the latest one that was active before: what the engine of
yesterday finished stays finished.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.runtime.logs import get_logger
from services.sink.columns import VersionIds
from services.sink.sql import versions as sql

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownVersions:
    """The ids of all versions by name; `followed` are those that are or were active, the active one first."""

    ids: VersionIds
    followed: Sequence[int]
    active: str | None

    def name_of(self, version_id: int) -> str:
        """The name of a version that is known."""
        return next(name for name, known_id in self.ids.items() if known_id == version_id)


async def read_versions(connection: Any) -> KnownVersions:
    """What is known now."""
    rows = await connection.fetch(sql.ALL)
    return KnownVersions(
        ids={row["name"]: row["version_id"] for row in rows},
        followed=[row["version_id"] for row in rows if row["activated_at"] is not None],
        active=next((row["name"] for row in rows if row["state"] == "active"), None),
    )


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


async def _add(connection: Any, name: str, *, is_live: bool) -> None:
    if await connection.fetchval(sql.ADD, name) is None:
        return
    if is_live or (await read_versions(connection)).active is None:
        await connection.execute(sql.DEACTIVATE, name)
        await connection.execute(sql.ACTIVATE, name)
        _log.info("analysis_version_activated", analysis_version=name)
