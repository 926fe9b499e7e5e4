"""Many records at once: those of one partition as one batch with one future, instead of a future for each record."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.topics import Topic
from services.runtime.metrics import PUBLISHED
from services.runtime.partitioner import partitions_of
from services.runtime.send_errors import RecordRefused, refuse_too_large, translated


class Record(NamedTuple):
    """What is sent."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Sending:
    """Records that reach Kafka together; `places` are theirs in what was given to be sent."""

    places: Sequence[int]
    resolved: asyncio.Future[None]
    """Done when all in-sync replicas have them; else raises KafkaUnavailable or RecordRefused."""


class GroupSends:
    """The sends of many records that are on their way; `count` is told how many more (or fewer) wait."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self, producer: AIOKafkaProducer, topic: Topic, name: str, partitions: int, records: Sequence[Record]
    ) -> list[Sending]:
        """Begin to send; a record that is too large is refused alone. Nothing is awaited, so nothing is half begun."""
        sendings, fitting = _sorted_out(topic, records)
        places_of: defaultdict[int, list[int]] = defaultdict(list)
        keys = [records[place].key for place in fitting]
        for place, partition in zip(fitting, partitions_of(keys, partitions), strict=True):
            places_of[partition].append(place)
        for partition, places in places_of.items():
            together = [records[place] for place in places]
            self._count(len(together))
            task = asyncio.create_task(self._send(producer, topic, name, partition, together))
            self._tasks.add(task)
            task.add_done_callback(self._is_over)
            sendings.append(Sending(places, task))
        return sendings

    async def _send(
        self, producer: AIOKafkaProducer, topic: Topic, name: str, partition: int, records: Sequence[Record]
    ) -> None:
        outcome = "failed"
        try:
            sent = [await producer.send_batch(one, name, partition=partition) for one in _batches(producer, records)]
            for batch in sent:
                await batch
            outcome = "acknowledged"
        except KafkaError as error:
            raise translated(error) from error
        finally:
            self._count(-len(records))
            PUBLISHED.labels(topic.name, outcome).inc(len(records))

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # mark as seen: whoever sent it may have stopped waiting

    def abandon(self) -> None:
        """Give up what is still on its way."""
        for task in self._tasks:
            task.cancel()


def _sorted_out(topic: Topic, records: Sequence[Record]) -> tuple[list[Sending], list[int]]:
    """Those that are too large, refused each for itself, and the places of the others."""
    refused: list[Sending] = []
    fitting: list[int] = []
    for place, (key, value, headers) in enumerate(records):
        try:
            refuse_too_large(topic, key, value, headers)
        except RecordRefused as error:
            never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            never.set_exception(error)
            never.exception()  # mark as seen
            refused.append(Sending((place,), never))
        else:
            fitting.append(place)
    return refused, fitting


def _batches(producer: AIOKafkaProducer, records: Sequence[Record]) -> Iterator[BatchBuilder]:
    """The records in as few batches as hold them; a large one has its own."""
    batch = producer.create_batch()
    for key, value, headers in records:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
    yield batch
