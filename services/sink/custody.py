"""Keeping records until they are stored: held while Postgres is away, isolated when it refuses one of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.codec import RawRecord
from schemas.dead_letter import DeadLetterReason
from schemas.topics import DEAD_LETTER, STARTED
from services.runtime.dead_letters import DeadLetters
from services.runtime.kafka import KafkaUnavailable
from services.runtime.logs import get_logger
from services.runtime.publisher import RecordRefused
from services.sink.batch import Batch
from services.sink.decoding import PlacedRecord, Unreadable, offsets_only, read_batch
from services.sink.failures import REFUSED, Revoked, is_unavailable, without_values
from services.sink.isolation import store_isolating
from services.sink.metrics import BATCH_RECORDS, POSTGRES_WAITS, STORE_SECONDS, UNSTORABLE
from services.sink.partitions import Partitions
from services.sink.stopping import pause, unless_stopped
from services.sink.store import Store

_log = get_logger(__name__)

_RETRY_SECONDS = 0.25
_MAX_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """Records and what they mean: what one transaction stores, unless Postgres refuses one of them."""

    records: Sequence[PlacedRecord]
    batch: Batch
    unreadable: Sequence[Unreadable]


async def read_parts(records: Sequence[PlacedRecord]) -> list[Part]:
    """Started events apart and last: see Store.store."""
    started = [one for one in records if one.record.topic == STARTED.name]
    rest = [one for one in records if one.record.topic != STARTED.name]
    return [Part(part, *await read_batch(part)) for part in (rest, started) if part]


class Custody:
    """Stores records, each once, whatever Postgres does meanwhile."""

    def __init__(self, store: Store, dead_letters: DeadLetters, partitions: Partitions, stop: asyncio.Event) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._partitions = partitions
        self._stop = stop
        self.postgres_problem: str | None = None
        """Why a batch is being held, for readiness."""

    async def store(self, parts: Sequence[Part]) -> None:
        """Return once all are stored or buried. Raises Fenced, Revoked and Stopped: the rest is dropped."""
        for part in parts:
            BATCH_RECORDS.observe(len(part.records))
            try:
                await self._store_read(part.batch, part.unreadable)
            except REFUSED:
                await store_isolating(part.records, self._store_some, self._give_up)

    async def _store_some(self, records: Sequence[PlacedRecord]) -> None:
        await self._store_read(*await read_batch(records))

    async def _store_read(self, batch: Batch, unreadable: Sequence[Unreadable]) -> None:
        for one in unreadable:
            await self._bury(one.record, one.reason, one.detail)
        await self._hold_until_stored(batch)

    async def _give_up(self, placed: PlacedRecord, error: Exception) -> None:
        UNSTORABLE.inc()
        record = placed.record
        if record.topic in {DEAD_LETTER.name, STARTED.name}:  # a dead letter is never dead-lettered
            _log.error("record_unstorable", place=record.place, reason=without_values(error))
        else:
            await self._bury(record, DeadLetterReason.UNSTORABLE, f"Postgres refused it: {without_values(error)}")
        await self._hold_until_stored(offsets_only([placed]))

    async def _bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        while True:
            try:
                await unless_stopped(self._dead_letters.bury(record, reason, detail), self._stop)
            except KafkaUnavailable:
                await pause(_RETRY_SECONDS, self._stop)
            except RecordRefused as refusal:  # headers beyond what a record may have: the log is all that is left
                _log.error("dead_letter_refused", place=record.place, reason=str(refusal))
                return
            else:
                return

    async def _hold_until_stored(self, batch: Batch) -> None:
        wait_seconds = _RETRY_SECONDS
        while True:
            claims = self._partitions.claims
            if not batch.next_offsets.keys() <= claims.keys():
                raise Revoked
            try:
                with STORE_SECONDS.time():
                    await self._store.store(batch, claims)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                self._note_outage(error)
            else:
                self.postgres_problem = None
                self._partitions.advance(batch)
                return
            await pause(wait_seconds, self._stop)
            wait_seconds = min(wait_seconds * 2, _MAX_RETRY_SECONDS)

    def _note_outage(self, error: Exception) -> None:
        POSTGRES_WAITS.inc()
        if self.postgres_problem is None:
            _log.warning("postgres_unavailable", reason=without_values(error))
        self.postgres_problem = without_values(error)
