"""A sink's consumer running in this process, and events sent to its topics."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from schemas.codec import encode
from schemas.event import Event
from schemas.topics import ANALYZED, RECEIVED, STARTED, Topic
from services.runtime.kafka import KafkaConnection
from services.sink.batch_consumer import BatchConsumer
from services.sink.resources import Resources, intake_of, open_resources
from services.sink.settings import SinkSettings
from tests.builders import an_envelope
from tests.waiting import eventually


def sink_settings(bootstrap_servers: str, database_url: str, prefix: str, **others: object) -> SinkSettings:
    return SinkSettings.model_validate(
        {
            "kafka_bootstrap_servers": bootstrap_servers,
            "kafka_topic_prefix": prefix,
            "kafka_group_prefix": prefix,
            "database_url": SecretStr(database_url),
            "session_timeout_seconds": 6.0,
            "query_timeout_seconds": 60.0,  # a slow machine is no failure
            "client_limit": "off",
            **others,
        }
    )


@dataclass
class Running:
    consumer: BatchConsumer
    resources: Resources
    task: asyncio.Task[None]
    stop: asyncio.Event

    async def is_ready(self) -> bool:
        self.raise_if_dead()
        return self.consumer.check_assignment().ok

    def raise_if_dead(self) -> None:
        if self.task.done() and not self.stop.is_set():
            self.task.result()
            raise AssertionError("the consumer ended by itself")


@asynccontextmanager
async def running_sink(settings: SinkSettings, *, wait: bool = True) -> AsyncIterator[Running]:
    async with open_resources(settings) as resources:
        stop = asyncio.Event()
        consumer = BatchConsumer(
            resources.connection, intake_of(settings), resources.store(), resources.dead_letters(), stop
        )
        sink = Running(consumer, resources, asyncio.create_task(consumer.run()), stop)
        try:
            if wait:
                await eventually(sink.is_ready, what="the sink owns partitions")
            yield sink
        finally:
            stop.set()
            await sink.task


@asynccontextmanager
async def producer_to(bootstrap_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, max_request_size=9_000_000
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


class Sender:
    """Sends events as ingress and analyzer would."""

    def __init__(self, producer: AIOKafkaProducer, connection: KafkaConnection) -> None:
        self._producer = producer
        self._connection = connection

    async def send(self, topic: Topic, key: str, event: Event) -> tuple[int, int]:
        """The broker's timestamp and the offset."""
        value, headers = encode(event, an_envelope())
        return await self.send_raw(topic, key.encode(), value, headers)

    async def send_raw(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        sent = await self._producer.send_and_wait(
            self._connection.topic_name(topic), key=key, value=value, headers=list(headers)
        )
        return sent.timestamp, sent.offset


TOPICS_OF_EVENTS = {"received": RECEIVED, "analyzed": ANALYZED, "started": STARTED}
