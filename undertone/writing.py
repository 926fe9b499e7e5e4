"""Before a command writes to Kafka: whether Kafka answers, and whether the topics are there."""

import asyncio
from collections.abc import Collection

from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher
from undertone import topics
from undertone.absent import no_kafka, no_topic

_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.05


async def check_kafka(publisher: EventPublisher, connection: KafkaConnection, wanted: Collection[Topic]) -> None:
    """Return once records can be written. Raises CommandError with what to do when they cannot."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _CONNECT_SECONDS
    while not publisher.is_connected:
        if clock() > deadline:
            raise no_kafka(connection)
        await asyncio.sleep(_POLL_SECONDS)
    missing = [change.topic for change in await topics.plan(connection) if change.creates and change.topic in wanted]
    if missing:
        raise no_topic(connection, missing[0])
