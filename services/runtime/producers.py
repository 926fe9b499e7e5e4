"""aiokafka's producer as the services need it: idempotent, acks=all, and calm while Kafka is away."""

import asyncio
import math
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.topics import MAX_DEAD_LETTER_BYTES, MIB
from services.runtime.kafka import KafkaConnection

_REQUEST_OVERHEAD_BYTES = 64 * 1024
"""What a request adds to its record: headers, key and the protocol."""
MAX_BATCH_BYTES = MIB
"""Of one partition: 16 KiB, aiokafka's default, makes waiting sends quadratic."""
_METADATA_PAUSE_SECONDS = 0.1
"""Between two requests for metadata; Kafka's own clients call it retry.backoff.ms."""


def new_producer(connection: KafkaConnection, *, linger_ms: int) -> AIOKafkaProducer:
    """A producer that was not started; batches have at most MAX_BATCH_BYTES."""
    producer = AIOKafkaProducer(
        **connection.client_options(),
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_DEAD_LETTER_BYTES + _REQUEST_OVERHEAD_BYTES,
    )
    _let_no_batch_expire(producer)
    _pause_between_metadata_requests(producer.client)
    return producer


def _let_no_batch_expire(producer: AIOKafkaProducer) -> None:
    """Keep every send in its place until Kafka resolves it, as idempotence needs.

    aiokafka 0.14 drops a batch whose partition had no leader for 40 s, after it gave the batch its sequence numbers:
    the partition then refuses everything that follows (OutOfOrderSequenceNumber) until the process restarts.
    """
    producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001 - there is no setting for it


def _pause_between_metadata_requests(client: Any) -> None:
    """Ask for metadata at most ten times a second.

    aiokafka 0.14 asks again at once while a partition has no leader: with Kafka stopped that takes a whole core and
    writes thousands of log lines a second.
    """
    update = client._metadata_update  # noqa: SLF001 - there is no setting for it
    clock = asyncio.get_running_loop().time
    last = -math.inf

    async def update_with_pause(cluster: Any, topics: Any) -> Any:
        nonlocal last
        await asyncio.sleep(max(0.0, last + _METADATA_PAUSE_SECONDS - clock()))
        try:
            return await update(cluster, topics)
        finally:
            last = clock()

    client._metadata_update = update_with_pause  # noqa: SLF001
