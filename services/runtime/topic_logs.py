"""Topics as logs: which partitions they have, and a reader without a group, which moves nobody's position."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.runtime.kafka import KafkaConnection


async def partitions_of(connection: KafkaConnection, names: Sequence[str]) -> list[TopicPartition]:
    """The partitions of those topics that exist. Raises KafkaError.

    A consumer without a subscription does not know them when it is first asked.
    """
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        described = await admin.describe_topics(list(names))
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]]


@asynccontextmanager
async def open_reader(connection: KafkaConnection, *, committed: bool = True) -> AsyncIterator[Any]:
    """A consumer without a group; with `committed` it does not see what was aborted, or may yet be. Raises KafkaError.

    Assign it once: aiokafka 0.14 never ends a consumer that is stopped right after it was assigned something else.
    """
    reader = AIOKafkaConsumer(
        **connection.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
    )
    try:
        await reader.start()
        await asyncio.sleep(0)  # its tasks begin: aiokafka 0.14 raises CancelledError out of `stop` when they had not
        yield reader
    finally:
        await reader.stop()
