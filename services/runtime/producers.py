"""aiokafka's producer as the services need it: idempotent, acks=all, and calm while Kafka is away."""

import asyncio
import copy
import math
from typing import Any, cast

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerClosed

from schemas.topics import MAX_DEAD_LETTER_BYTES, MIB
from services.runtime.kafka import KafkaConnection
from services.runtime.produce_requests import send_quickly

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
    send_quickly(producer)
    _pause_between_metadata_requests(producer.client)
    return producer


def line_up(producer: AIOKafkaProducer, batch: Any, partition: TopicPartition) -> asyncio.Future[Any]:
    """Put a batch behind those that wait for its partition, at once; the future is done when Kafka resolved it.

    aiokafka 0.14's `send_batch` does the same when nothing waits, and else waits itself, so that every partition needs
    a task. Raises KafkaError when the producer sends no more.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001 - as above
    if accumulator._closed:  # noqa: SLF001
        raise ProducerClosed
    if accumulator._exception is not None:  # noqa: SLF001
        raise copy.copy(accumulator._exception)  # noqa: SLF001 - each raise adds to its trace
    return cast("asyncio.Future[Any]", accumulator._append_batch(batch, partition).future)  # noqa: SLF001


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
