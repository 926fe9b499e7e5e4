"""Reading the control log: whole, from its beginning, without a group, so that every instance knows what all know."""

import asyncio
from collections.abc import Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import UndecodableRecord, decode
from schemas.event import Event
from schemas.topics import ANALYZED, CONTROL
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_RETRY_SECONDS = 1.0

Apply = Callable[[Event, float, int], None]
"""Handles an event, the broker's timestamp of its record in seconds, and the record's offset."""


class ControlLog:
    """Follows the log; `is_caught_up` once everything that was there at the start has been applied."""

    def __init__(
        self,
        connection: KafkaConnection,
        handlers: Mapping[type[Event], Apply],
        on_caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._handlers = handlers
        self._on_caught_up = on_caught_up
        self._caught_up = asyncio.Event()
        self._next_offset: int | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether calls may start: every hold and grant that others wrote before is known."""
        return self._caught_up.is_set()

    async def follow(self) -> None:
        """Read for ever; Kafka away is waited for, and no record is applied twice."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                _log.warning("control_log_unreadable", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._connection.client_options(), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        partition = TopicPartition(self._connection.topic_name(CONTROL), 0)
        await consumer.start()
        try:
            consumer.assign([partition])
            if self._next_offset is None:
                await consumer.seek_to_beginning(partition)
            else:
                consumer.seek(partition, self._next_offset)
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                if not self.is_caught_up and await consumer.position(partition) >= end:
                    _log.info("control_log_caught_up", offset=end)
                    self._caught_up.set()
                    self._on_caught_up()
                batch = await consumer.getmany(partition, timeout_ms=500)
                for message in batch.get(partition, ()):
                    self._apply(message)
        finally:
            await consumer.stop()

    def _apply(self, message: object) -> None:
        record = raw_record(message, CONTROL)
        self._next_offset = record.offset + 1
        try:
            event = decode(record, CONTROL).event
        except UndecodableRecord as error:
            # A newer release may write events that this one does not know: they are not for us.
            _log.warning("control_record_ignored", offset=record.offset, reason=error.reason.value, detail=error.detail)
            return
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event, record.timestamp_ms / 1000, record.offset)


async def outcome_ends(connection: KafkaConnection, partitions: Collection[int]) -> Mapping[int, int]:
    """The end offsets of partitions of the topic of outcomes. Raises KafkaError and OSError while Kafka is away."""
    consumer = AIOKafkaConsumer(**connection.client_options(), enable_auto_commit=False)
    try:
        await consumer.start()
        name = connection.topic_name(ANALYZED)
        ends = await consumer.end_offsets([TopicPartition(name, partition) for partition in partitions])
        return {place.partition: offset for place, offset in ends.items()}
    finally:
        await consumer.stop()
