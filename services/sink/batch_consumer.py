"""The consumer loop: settle what is assigned, poll a batch, store it while the next one is read, tell Kafka.

Offsets live in Postgres and move with the rows. The rebalance listener touches no database (aiokafka swallows what it
raises): it flags and pauses, the loop claims, seeks and resumes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from services.runtime.dead_letters import DeadLetters
from services.runtime.health import CheckResult
from services.runtime.kafka import KafkaConnection, raw_record, wait_for_kafka
from services.runtime.logs import get_logger
from services.sink.batch import Place
from services.sink.claims import Claimer, SettlementFailed
from services.sink.custody import Custody, Part, read_parts
from services.sink.decoding import SINK_TOPICS, PlacedRecord
from services.sink.failures import Fenced, Revoked
from services.sink.intake import Intake
from services.sink.metrics import FENCED
from services.sink.offset_mirror import OffsetMirror
from services.sink.partitions import Partitions
from services.sink.rebalances import Listener
from services.sink.stopping import Stopped, pause, unless_stopped
from services.sink.store import Store

_log = get_logger(__name__)

_IDLE_SECONDS = 0.5
_RETRY_SECONDS = 0.5
_RECONSIDER_SECONDS = 5.0
"""How often a partition that stands still is claimed anew: a person may have set its offset."""
_MIB = 1024 * 1024
_MOST_BATCH_BYTES = 8 * _MIB
"""A batch that has reached it waits for no more: memory is bounded by bytes, not by a number of records."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What was fetched, and read while the batch before it was stored."""

    records: list[PlacedRecord]
    parts: list[Part]


async def _give_up(ahead: asyncio.Task[_Fetched] | None) -> None:
    if ahead is not None:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


def _bytes_of(records: list[PlacedRecord]) -> int:
    return sum(len(one.record.value or b"") for one in records)


class BatchConsumer:
    """Reads the sink's topics and stores what they say, until it is told to stop."""

    def __init__(
        self,
        connection: KafkaConnection,
        intake: Intake,
        store: Store,
        dead_letters: DeadLetters,
        stop: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._intake = intake
        self._store = store
        self._stop = stop
        self._topics = {connection.topic_name(topic): topic for topic in SINK_TOPICS}
        self._partitions = Partitions()
        self._custody = Custody(store, dead_letters, self._partitions, stop)
        self._waiting_for: SettlementFailed | None = None
        self._reconsider_at = 0.0

    async def run(self) -> None:
        """Consume until told to stop. Anything else that is raised is a bug: the process must end."""
        with suppress(Stopped):
            while not self._stop.is_set():
                await unless_stopped(wait_for_kafka(self._connection, _log), self._stop)
                try:
                    async with self._joined() as consumer:
                        await self._consume(consumer)
                except KafkaError as error:
                    _log.warning("kafka_lost", reason=type(error).__name__)
                    await pause(_RETRY_SECONDS, self._stop)

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A member of the group."""
        consumer = AIOKafkaConsumer(**self._intake.consumer_options(self._connection))
        consumer.subscribe(list(self._topics), listener=Listener(consumer, self._partitions))
        try:
            await consumer.start()
            yield consumer
        finally:
            self._partitions.revoke()
            with suppress(KafkaError):
                await consumer.stop()

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        """Until told to stop, or until another sink turns out to own what this one thought its own: then rejoin.

        While a batch is stored the next one is fetched and read. Nothing is settled meanwhile.
        """
        claimer = Claimer(consumer, self._connection, self._store, self._partitions)
        mirror = OffsetMirror(consumer)
        ahead: asyncio.Task[_Fetched] | None = None
        try:
            while not self._stop.is_set():
                if ahead is None:
                    await self._settle(claimer)
                    ahead = asyncio.create_task(self._read_ahead(consumer))
                fetched = await unless_stopped(ahead, self._stop)
                is_settled = not (self._partitions.unsettled or self._partitions.stopped)
                ahead = asyncio.create_task(self._read_ahead(consumer)) if fetched.records and is_settled else None
                try:
                    await self._store_fetched(fetched)
                except Revoked:
                    _log.info("batch_dropped", reason="revoked", records=len(fetched.records))
                    await _give_up(ahead)
                    ahead = None
                    self._partitions.reclaim()
                except Fenced:
                    FENCED.inc()
                    _log.warning("batch_dropped", reason="fenced", records=len(fetched.records))
                    return
                mirror.publish(self._partitions.claims)
        finally:
            await _give_up(ahead)
            await mirror.close(self._partitions.claims)

    async def _read_ahead(self, consumer: AIOKafkaConsumer) -> _Fetched:
        records = await self._poll(consumer)
        return _Fetched(records, await read_parts(records))

    async def _store_fetched(self, fetched: _Fetched) -> None:
        """Raises Revoked for what was fetched under other claims: offsets lie between that nobody has stored."""
        claims = self._partitions.claims
        for one in fetched.records:
            claim = claims.get(one.place)
            if claim is None or claim.epoch != one.epoch:
                raise Revoked
        await self._custody.store(fetched.parts)

    async def _settle(self, claimer: Claimer) -> None:
        now = asyncio.get_running_loop().time()
        if self._partitions.stopped and now >= self._reconsider_at:
            self._reconsider_at = now + _RECONSIDER_SECONDS
            self._partitions.reconsider()
        try:
            await claimer.settle()
        except SettlementFailed as failure:
            if self._waiting_for is None:
                _log.warning("claim_waits", part=failure.part, reason=failure.problem)
            self._waiting_for = failure
            await pause(_RETRY_SECONDS, self._stop)
        else:
            self._waiting_for = None

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[PlacedRecord]:
        """What has come: as soon as there is something, for at most the batch's age, number or bytes."""
        clock = asyncio.get_running_loop().time
        records = await self._fetch(consumer, _IDLE_SECONDS, self._intake.batch_records)
        deadline = clock() + self._intake.batch_age_seconds
        while records and clock() < deadline and _bytes_of(records) < _MOST_BATCH_BYTES:
            room = self._intake.batch_records - len(records)
            if room <= 0:
                break
            records += await self._fetch(consumer, deadline - clock(), room)
        return records

    async def _fetch(self, consumer: AIOKafkaConsumer, seconds: float, limit: int) -> list[PlacedRecord]:
        try:
            fetched = await consumer.getmany(timeout_ms=max(1, int(seconds * 1000)), max_records=limit)
        except NoOffsetForPartitionError:  # asked for before the listener set a position: the claim sets it
            return []
        except OffsetOutOfRangeError as error:
            self._stop_partitions(error.args[0])
            return []
        claims = self._partitions.claims
        return [
            PlacedRecord(place, raw_record(message, self._topics[place.topic]), claim.epoch)
            for partition, messages in fetched.items()
            if (claim := claims.get(place := Place(*partition))) is not None
            for message in messages
            if message.offset >= claim.next_offset
        ]

    def _stop_partitions(self, positions: dict[TopicPartition, int]) -> None:
        for partition, position in positions.items():
            place = Place(*partition)
            if place in self._partitions.claims:
                self._partitions.stop(
                    place, f"{place}: the log no longer holds offset {position}; decide with `undertone offsets reset`"
                )
                _log.error("partition_stopped", topic=place.topic, partition=place.partition, position=position)

    def check_assignment(self) -> CheckResult:
        """Whether every partition that is ours is read."""
        if self._partitions.stopped:
            return CheckResult(ok=False, detail="; ".join(sorted(self._partitions.stopped.values())[:5]))
        if not self._partitions.is_assigned:
            return CheckResult(ok=False, detail="not a member of the consumer group yet")
        if self._partitions.unsettled:
            waiting = f" for {self._waiting_for.part}: {self._waiting_for.problem}" if self._waiting_for else ""
            return CheckResult(ok=False, detail=f"{len(self._partitions.unsettled)} partitions wait{waiting}")
        return CheckResult(ok=True)

    def check_storing(self) -> CheckResult:
        """Whether batches are stored, or one is held because Postgres is away."""
        problem = self._custody.postgres_problem
        return CheckResult(ok=problem is None, detail=problem and f"a batch is held: {problem}")
