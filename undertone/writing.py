"""Before a command writes to Kafka: whether Kafka answers, and whether the topics are there."""

import asyncio
from collections.abc import Collection

from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher
from undertone import topics
from undertone.errors import CommandError

_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.05


async def check_kafka(publisher: EventPublisher, connection: KafkaConnection, wanted: Collection[Topic]) -> None:
    """Return once records can be written. Raises CommandError with what to do when they cannot."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _CONNECT_SECONDS
    while not publisher.is_connected:
        if clock() > deadline:
            raise CommandError(
                f"Kafka does not answer at {connection.bootstrap_servers}: start the stack with `undertone up`, or "
                f"set KAFKA_BOOTSTRAP_SERVERS."
            )
        await asyncio.sleep(_POLL_SECONDS)
    missing = [change.name for change in await topics.plan(connection) if change.creates and change.topic in wanted]
    if missing:
        raise CommandError(f"Kafka has no topic {missing[0]}: create it with `undertone topics apply`.")
