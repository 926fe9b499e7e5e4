"""Sending dead letters again: each of a selection once, whoever is stopped in the middle.

Letters are marked `sending`, with the ends of the logs, before any is sent; once Kafka has them they are `redriven`.
One redrive runs at a time, held by a lock that dies with its connection. The next one finds what was left `sending`,
reads the logs from the noted ends, and knows by the header of each copy which were sent: those are not sent again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.logs import get_logger
from services.runtime.publisher import EventPublisher, Published, RecordRefused, resolved
from services.sink.redriving.actions import Action, count_open, note_action, open_conditions
from services.sink.redriving.copies import REDRIVABLE, Copy, copy_of, is_damaged
from services.sink.redriving.logs import Found, LogEnds, find_sent, read_log_ends
from services.sink.redriving.settling import Interrupted, interrupted
from services.sink.sql import redrives as sql

_log = get_logger(__name__)

MOST_BYTES = 16 * 1024 * 1024
"""Of records that are sent together: what is held in memory, and what may be lost sight of by a kill."""
SETTLE_SECONDS = 5.0
"""What a killed process had given to the network may still be written for as long: then the logs tell."""
_ACQUIRE_SECONDS = 5.0
_DAMAGED = "its bytes are not those that were buried: their SHA-256 differs"


class AlreadyRunning(Exception):  # noqa: N818 - it names what was met, as house style asks
    """Another redrive runs now."""


class Unsettled(Exception):  # noqa: N818 - as above
    """One was interrupted a moment ago; try again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a redrive was interrupted; {seconds:.0f} s from now Kafka's logs tell what it has sent")
        self.seconds = seconds


@dataclass(slots=True)
class Redriven:
    """What one step of a redrive did. `found` were sent by one that was interrupted, before it could say so."""

    sent: int = 0
    refused: dict[UUID, str] = field(default_factory=dict)
    unknown: int = 0
    found: int = 0
    remaining: int = 0
    unsendable: int = 0


class Redriver:
    """Sends letters of one database to one Kafka."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        publisher: EventPublisher,
        connection: KafkaConnection,
        *,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._connection = connection
        self._settle_seconds = settle_seconds

    async def redrive(self, action: Action, limit: int) -> Redriven:
        """Send up to `limit` letters of the selection; repeat it with the same action until none remain.

        Raises AlreadyRunning, Unsettled, KafkaUnavailable, ForeignAction, and what asyncpg raises.
        """
        async with self._alone() as database:
            done = Redriven(found=await self._settle(database))
            started_at = await action.started_at(database)
            if (await count_open(database, action, started_at)).sendable:
                await self._send_some(database, action, started_at, limit, done)
            still_open = await count_open(database, action, started_at)
            done.remaining, done.unsendable = still_open.sendable, still_open.unsendable
            return done

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Any]:
        async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as database:
            if not await database.fetchval(sql.LOCK):
                raise AlreadyRunning
            yield database  # leaving gives the connection back to the pool, which releases its locks

    async def _send_some(self, database: Any, action: Action, started_at: Any, limit: int, done: Redriven) -> None:
        log_ends = await read_log_ends(self._connection)
        letters = await self._choose(database, action, started_at, limit, log_ends)
        refused = {letter["dead_letter_id"]: _DAMAGED for letter in letters if is_damaged(letter)}
        copies = [copy_of(letter) for letter in letters if letter["dead_letter_id"] not in refused]
        sent, refused_by_kafka, done.unknown = await self._send(copies, log_ends)
        done.refused = refused | refused_by_kafka
        done.sent = len(sent)
        await _record(database, action.action_id, sent, done.refused)
        _log.info(
            "dead_letters_redriven",
            action_id=str(action.action_id),
            done_by=action.done_by,
            sent=done.sent,
            refused=len(done.refused),
            unknown=done.unknown,
        )

    async def _choose(
        self, database: Any, action: Action, started_at: Any, limit: int, log_ends: LogEnds
    ) -> Sequence[Any]:
        """Mark letters as `sending`; from here on a redrive after this one can tell what became of them."""
        conditions, places = open_conditions(action, started_at)
        query = sql.CHOOSE.format(
            **places, limit=conditions.bind(limit), most_bytes=conditions.bind(MOST_BYTES), conditions=conditions
        )
        async with database.transaction():
            await note_action(database, action, started_at, log_ends)
            letters = await database.fetch(query, *conditions.values)
        return sorted(letters, key=lambda letter: (letter["failed_at"], letter["dead_letter_id"]))

    async def _send(self, copies: Sequence[Copy], log_ends: LogEnds) -> tuple[dict[UUID, Found], dict[UUID, str], int]:
        """Where each copy stands, which Kafka refuses, and of how many it is unknown."""
        refused: dict[UUID, str] = {}
        waiting: dict[UUID, asyncio.Future[Published]] = {}
        for copy in copies:
            if copy.topic.name not in log_ends:
                refused[copy.letter_id] = f"Kafka has no topic {self._connection.topic_name(copy.topic)}"
                continue
            try:
                waiting[copy.letter_id] = await self._publisher.enqueue(copy.topic, copy.key, copy.value, copy.headers)
            except RecordRefused as error:
                refused[copy.letter_id] = f"Kafka refuses it: {error}"
        sent: dict[UUID, Found] = {}
        unknown = 0
        for letter_id, future in waiting.items():
            try:
                published = await resolved(future)
            except RecordRefused as error:
                refused[letter_id] = f"Kafka refuses it: {error}"
            except KafkaUnavailable:
                unknown += 1
            else:
                sent[letter_id] = Found(published.partition, published.offset)
        return sent, refused, unknown

    async def _settle(self, database: Any) -> int:
        """Find out what became of letters that an interrupted redrive left; how many of them it had sent."""
        found = 0
        for one in interrupted(await database.fetch(sql.SENDING)):
            if one.age_seconds < self._settle_seconds:
                raise Unsettled(self._settle_seconds - one.age_seconds)
            found += await self._settle_one(database, one)
        return found

    async def _settle_one(self, database: Any, one: Interrupted) -> int:
        wanted = {letter_id: REDRIVABLE[topic] for letter_id, topic in one.letters.items()}
        sent = await find_sent(self._connection, wanted, one.log_ends)
        async with database.transaction():
            await _record(database, one.action_id, sent, {})
            await database.execute(sql.RELEASE, one.action_id, [letter for letter in wanted if letter not in sent])
        _log.info(
            "interrupted_redrive_settled",
            action_id=str(one.action_id),
            sent=len(sent),
            waiting_again=len(wanted) - len(sent),
        )
        return len(sent)


async def _record(database: Any, action_id: UUID, sent: dict[UUID, Found], refused: dict[UUID, str]) -> None:
    async with database.transaction():
        if sent:
            places = list(sent.values())
            await database.execute(
                sql.RECORD_SENT,
                action_id,
                list(sent),
                [place.partition for place in places],
                [place.offset for place in places],
            )
        if refused:
            await database.execute(sql.RECORD_REFUSED, action_id, list(refused), list(refused.values()))
