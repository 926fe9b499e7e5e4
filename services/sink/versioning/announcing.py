"""Telling the analyzers: the newest decision goes to the control log, however often that takes.

A decision is kept before it is announced, and noted as announced after Kafka has it. Whoever is killed in between has
it announced again by the next process: the same content twice, which changes nothing. Of two decisions only the newer
one is announced; should an older one come behind it in the log, the newer one is announced again.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg

from schemas.analysis_control import ActiveVersionChanged
from schemas.envelope import new_envelope
from schemas.topics import CONTROL
from services.runtime.kafka import KafkaUnavailable
from services.runtime.logs import get_logger
from services.runtime.publisher import EventPublisher, Published
from services.runtime.waiting import happened
from services.sink.failures import is_unavailable, without_values
from services.sink.reads.members import Row
from services.sink.sql import decisions as sql
from services.sink.sql import versions as versions_sql
from services.sink.stopping import Stopped, unless_stopped

_log = get_logger(__name__)

KEY = "active-version"
_SOURCE = "/undertone/sink"
_LOOK_SECONDS = 2.0
_ASK_SECONDS = 0.05
_TEXT = 128


class Announcer:
    """Announces for one database and one Kafka; several may run."""

    def __init__(self, pool: asyncpg.Pool, publisher: EventPublisher) -> None:
        self._pool = pool
        self._publisher = publisher
        self._wanted = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Announce until told to stop."""
        with suppress(Stopped):
            while True:
                await unless_stopped(self._try(), stop)
                await unless_stopped(self._next(), stop)

    async def announced(self, decision: int, within_seconds: float) -> bool:
        """Announce now; whether Kafka has this decision, or a newer one, in time."""
        self._wanted.set()
        try:
            async with asyncio.timeout(within_seconds):
                while not await self._is_announced(decision):  # noqa: ASYNC110 - another process may announce it
                    await asyncio.sleep(_ASK_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _next(self) -> None:
        await happened(self._wanted, within_seconds=_LOOK_SECONDS)
        self._wanted.clear()

    async def _try(self) -> None:
        try:
            await self.announce()
        except KafkaUnavailable as error:
            _log.warning("announcement_waits", reason=str(error))
        except Exception as error:
            if not is_unavailable(error):
                raise
            _log.warning("announcement_waits", reason=without_values(error))

    async def announce(self) -> bool:
        """Announce the newest decision unless that is done; whether something was announced.

        Raises KafkaUnavailable, and what asyncpg raises.
        """
        row = await self._pool.fetchrow(sql.TO_ANNOUNCE)
        if row is None or row["announced_at"] is not None:
            return False
        event = announcement(row)
        placed = await self._publisher.publish(CONTROL, KEY, event, new_envelope(_SOURCE, datetime.now(UTC)))
        await self._note(row, placed)
        _log.info(
            "active_version_announced", analysis_version=event.analysis_version, also=list(event.also_analysed_under)
        )
        return True

    async def _note(self, row: Row, placed: Published) -> None:
        at = datetime.fromtimestamp(placed.timestamp_ms / 1000, UTC)
        live = [row["active_version"], *row["trial_versions"]]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(versions_sql.LOCK_SHARED)
            await connection.execute(sql.ANNOUNCED, row["decision"], at, placed.offset)
            await connection.execute(sql.LIVE_SINCE, at, live)

    async def _is_announced(self, decision: int) -> bool:
        row: Any = await self._pool.fetchrow(sql.NEWEST)
        return row is not None and row["decision"] >= decision and row["announced_at"] is not None


def announcement(row: Row) -> ActiveVersionChanged:
    """A decision as the analyzers read it."""
    reason = f"{row['kind'].replace('_', ' ')} of {row['subject']}" + (f": {row['note']}" if row["note"] else "")
    return ActiveVersionChanged(
        analysis_version=row["active_version"],
        also_analysed_under=tuple(row["trial_versions"]),
        retired=tuple(row["retired_versions"]),
        # Rises also when the database was restored from an older state, which the number of a decision does not.
        serial=round(row["decided_at"].timestamp() * 1_000_000),
        reason=reason[:300],
        changed_by=row["decided_by"][:_TEXT],
    )
