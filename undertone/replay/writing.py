"""Writing copies to the replay lane in transactions, so that a killed replay leaves all of a chunk or nothing of it.

Every process that goes on with a replay writes under the same transactional id. Kafka gives that id to the newest
one only: an older one that still lives, or wakes up, can write no more (https://kafka.apache.org/documentation/
#producerconfigs_transactional.id).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from schemas.topics import MAX_RECORD_BYTES, MIB, REPLAY
from services.runtime.kafka import KafkaConnection
from services.runtime.partitioner import partition_of
from services.runtime.send_errors import refuse_too_large
from undertone.errors import CommandError
from undertone.replay.copies import Copy

TRANSACTION_SECONDS = 30
"""After so long Kafka ends the transaction of a killed replay; until then the lane's newer records are not read."""
_REQUEST_OVERHEAD_BYTES = 64 * 1024
_STOP_SECONDS = 10.0
_SHUT_OUT = (ProducerFenced, InvalidProducerEpoch, OutOfOrderSequenceNumber, IllegalOperation)


class Pace(Protocol):
    """`pacing.Pacer`."""

    step: int
    """How many records to write at once."""

    async def wait(self, count: int) -> None:
        """Return when so many more may be written."""


class ShutOut(CommandError):  # noqa: N818 - it names what happened, as house style asks
    """Another process goes on with this replay, or this one stood still for longer than a transaction may last."""


class ReplayWriter:
    """Get one from `open_writer`."""

    def __init__(self, producer: Any, topic_name: str, partitions: int) -> None:
        self._producer = producer
        self._topic_name = topic_name
        self._partitions = partitions

    async def write(self, copies: Sequence[Copy], pace: Pace) -> dict[int, int]:
        """Write all or nothing; returns the next offset of each partition of the replay topic that was written to.

        Raises ShutOut and KafkaError; after the latter it is unknown which of the two it was.
        """
        try:
            async with self._producer.transaction():
                return await self._send(copies, pace)
        except _SHUT_OUT as error:
            raise ShutOut(
                "Another process goes on with this replay, or this one stood still for too long; it has stopped here."
            ) from error

    async def _send(self, copies: Sequence[Copy], pace: Pace) -> dict[int, int]:
        ends: dict[int, int] = {}
        for start in range(0, len(copies), pace.step):
            together = copies[start : start + pace.step]
            await pace.wait(len(together))
            for placed in await asyncio.gather(*[await self._enqueue(copy) for copy in together]):
                ends[placed.partition] = max(ends.get(placed.partition, 0), placed.offset + 1)
        return ends

    async def _enqueue(self, copy: Copy) -> Any:
        return await self._producer.send(
            self._topic_name,
            key=copy.key,
            value=copy.value,
            partition=partition_of(copy.key, self._partitions),
            headers=list(copy.headers),
        )


def refuse_unsendable(copy: Copy) -> None:
    """Raise RecordRefused for a copy that is too large: it has more headers than its original."""
    refuse_too_large(REPLAY, copy.key, copy.value, copy.headers)


@asynccontextmanager
async def open_writer(connection: KafkaConnection, transactional_id: str) -> AsyncIterator[ReplayWriter]:
    """A writer; from here on no older one of this id can write, and what it had not committed is gone."""
    producer = AIOKafkaProducer(
        **connection.client_options(),
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=MIB,
        max_request_size=MAX_RECORD_BYTES + _REQUEST_OVERHEAD_BYTES,
    )
    name = connection.topic_name(REPLAY)
    try:
        await producer.start()
        yield ReplayWriter(producer, name, len(await producer.partitions_for(name)))
    finally:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(_STOP_SECONDS):
                await producer.stop()
