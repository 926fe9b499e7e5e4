"""Publishing events: one idempotent producer with acks=all, whose every send is either durable or an error."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.codec import encode
from schemas.envelope import Envelope
from schemas.event import Event
from schemas.topics import Topic
from services.runtime.group_sends import GroupSends, Sending
from services.runtime.kafka import KafkaConnection
from services.runtime.logs import get_logger
from services.runtime.metrics import PUBLISHED, SENDS_WAITING
from services.runtime.partitioner import partition_of
from services.runtime.producers import new_producer
from services.runtime.record_batches import Record
from services.runtime.send_errors import RecordRefused, refuse_too_large, translated

__all__ = ["EventPublisher", "Published", "Record", "RecordRefused", "Sending", "open_publisher", "resolved"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """Where the broker put a record; `timestamp_ms` is its time of receipt in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int


class EventPublisher:
    """Sends events and records; get one from `open_publisher`."""

    def __init__(self, connection: KafkaConnection, *, linger_ms: int) -> None:
        self._connection = connection
        self._linger_ms = linger_ms
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._groups = GroupSends(self._count)
        self.waiting = 0
        """Sends that Kafka has not resolved yet."""

    @property
    def is_connected(self) -> bool:
        """Whether Kafka was reached since the start."""
        return self._connected.is_set()

    async def publish(self, topic: Topic, key: str, event: Event, envelope: Envelope) -> Published:
        """Send an event and return after all in-sync replicas have it.

        Raises KafkaUnavailable (what became of it is unknown) and RecordRefused (it will never be taken).
        """
        value, headers = encode(event, envelope)
        return await self.publish_record(topic, key.encode(), value, headers)

    async def publish_record(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Published:
        """Send bytes as they are; like `publish`."""
        return await resolved(await self.enqueue(topic, key, value, headers))

    async def enqueue(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Published]:
        """Give a record its place among the waiting sends; await the future with `resolved`.

        The place is kept until Kafka resolves it, also when nobody awaits the future any more.
        Raises RecordRefused; waits while Kafka was never reached.
        """
        refuse_too_large(topic, key, value, headers)
        name = self._connection.topic_name(topic)
        self._count(1)
        try:
            producer, partitions = await self._ready(name)
            future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
            partition = None if key is None else partition_of(key, partitions)
            sent = await producer.send(name, key=key, value=value, partition=partition, headers=list(headers))
        except BaseException as error:
            self._count(-1)
            if isinstance(error, KafkaError):
                raise translated(error) from error
            raise
        sent.add_done_callback(lambda done: self._resolve(done, future, topic))
        return future

    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        """Give many records their places: those of one partition are sent as one, for a tenth of what `enqueue` costs.

        Records of one key keep their order. A record that is too large is refused alone. The places are kept until
        Kafka resolves them, also when nobody awaits that any more; waits while Kafka was never reached.
        """
        name = self._connection.topic_name(topic)
        self._count(len(records))  # they wait already while Kafka was never reached
        try:
            producer, partitions = await self._ready(name)
        except KafkaError as error:
            raise translated(error) from error
        finally:
            self._count(-len(records))
        return self._groups.send(producer, topic, name, partitions, records)

    async def _ready(self, name: str) -> tuple[AIOKafkaProducer, int]:
        """The producer, once Kafka was reached, and the number of the topic's partitions."""
        await self._connected.wait()
        assert self._producer is not None  # set before the event
        return self._producer, len(await self._producer.partitions_for(name))

    def _resolve(self, sent: "asyncio.Future[object]", future: asyncio.Future[Published], topic: Topic) -> None:
        self._count(-1)
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        PUBLISHED.labels(topic.name, "acknowledged" if error is None else "failed").inc()
        if future.done():
            return
        if error is not None:
            future.set_exception(translated(error))
            future.exception()  # mark as seen: whoever sent it may have stopped waiting
            return
        metadata = sent.result()
        future.set_result(
            Published(
                partition=getattr(metadata, "partition", -1),
                offset=getattr(metadata, "offset", -1),
                timestamp_ms=getattr(metadata, "timestamp", -1),
            )
        )

    def _count(self, change: int) -> None:
        self.waiting += change
        SENDS_WAITING.inc(change)

    async def connect(self) -> None:
        """Reach Kafka, however long it takes."""
        while True:
            producer = new_producer(self._connection, linger_ms=self._linger_ms)
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await _stop_quietly(producer)
                _log.warning("kafka_not_reached", reason=type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            except BaseException:
                await _stop_quietly(producer)
                raise
            self._producer = producer
            self._connected.set()
            return

    async def close(self, deadline_seconds: float) -> None:
        """Send what still waits, then stop; give up after the deadline."""
        if self._producer is not None:
            try:
                async with asyncio.timeout(deadline_seconds):
                    await self._producer.stop()
            except (TimeoutError, KafkaError):
                _log.warning("sends_abandoned_at_close", waiting=self.waiting)
        self._groups.abandon()


async def _stop_quietly(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError, OSError):
        await producer.stop()


async def resolved(future: asyncio.Future[Published]) -> Published:
    """Wait for a future of `enqueue`; being cancelled leaves the send in its place."""
    return await asyncio.shield(future)


@asynccontextmanager
async def open_publisher(
    connection: KafkaConnection, *, linger_ms: int = 0, close_seconds: float = 10.0
) -> AsyncIterator[EventPublisher]:
    """A publisher that connects in the background, so that a service starts (not ready) without Kafka."""
    publisher = EventPublisher(connection, linger_ms=linger_ms)
    connecting = asyncio.create_task(publisher.connect())
    try:
        yield publisher
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
        await publisher.close(close_seconds)
