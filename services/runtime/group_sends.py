"""Many records at once: those of one partition travel as one batch with one future, not with one for each record.

A batch takes more until the producer picks it up, so what comes while Kafka is busy shares the next request. A Kafka
that is slow for a while gets fewer and larger batches, and nothing that waits costs more the longer it waits.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import MIB, Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.metrics import PUBLISHED
from services.runtime.partitioner import partitions_of
from services.runtime.producers import MAX_BATCH_BYTES, line_up
from services.runtime.record_batches import Record, RecordBatch
from services.runtime.send_errors import RecordRefused, refuse_size, translated

Count = Callable[[int], None]
_SURELY_FITS = MIB
"""A value so small needs no closer look: keys and headers are far from making up the rest of the limit."""


@dataclass(frozen=True, slots=True)
class Sending:
    """Records of one batch; `places` are theirs in what was given to be sent."""

    places: Sequence[int]
    resolved: asyncio.Future[None]
    """Done when all in-sync replicas have them; else raises KafkaUnavailable or RecordRefused.

    Others whose records share the batch wait for it too: it is not to be cancelled.
    """


class GroupSends:
    """The sends of many records that are on their way; `count` is told how many more (or fewer) wait."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._lanes: dict[tuple[str, int], _Lane] = {}

    def send(
        self, producer: AIOKafkaProducer, topic: Topic, name: str, partitions: int, records: Sequence[Record]
    ) -> list[Sending]:
        """Begin to send; a record that is too large is refused alone. Nothing is awaited, so nothing is half begun."""
        sendings, fitting = _sorted_out(topic, records)
        self._count(len(fitting))
        places_of: defaultdict[int, list[int]] = defaultdict(list)
        partition_of_each = partitions_of([records[place].key for place in fitting], partitions)
        for place, partition in zip(fitting, partition_of_each, strict=True):
            places_of[partition].append(place)
        for partition, places in places_of.items():
            lane = self._lanes.get((name, partition))
            if lane is None:
                lane = self._lanes[name, partition] = _Lane(producer, topic, name, partition, self._count)
            lane.add(places, [records[place] for place in places], sendings)
        return sendings

    def abandon(self) -> None:
        """Give up what Kafka has not resolved."""
        for lane in self._lanes.values():
            lane.abandon()


class _Lane:
    """One partition: the batch that takes records until the producer picks it up, and those that are on their way."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic, name: str, partition: int, count: Count) -> None:
        self._producer = producer
        self._partition = TopicPartition(name, partition)
        self._count = count
        self._acknowledged = PUBLISHED.labels(topic.name, "acknowledged")
        self._failed = PUBLISHED.labels(topic.name, "failed")
        self._last: _Waiting | None = None
        self._unresolved: set[_Waiting] = set()

    def add(self, places: Sequence[int], records: Sequence[Record], sendings: list[Sending]) -> None:
        """Line records up, which are counted already, behind those that wait; adds what they travel in."""
        placed = 0
        while placed < len(records):
            last = self._last
            added = 0 if last is None else last.batch.add(records, placed)
            if last is None or not added:  # it is full, or on its way
                try:
                    self._last = self._new_batch()
                except KafkaError as error:
                    self._count(placed - len(records))
                    sendings.append(Sending(places[placed:], _failed(translated(error))))
                    return
                continue
            sendings.append(Sending(places[placed : placed + added], last.resolved))
            placed += added

    def _new_batch(self) -> "_Waiting":
        """An empty batch with its place among those that wait. Raises KafkaError."""
        batch = RecordBatch(MAX_BATCH_BYTES)
        sent = line_up(self._producer, batch, self._partition)
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._unresolved.add(waiting)
        sent.add_done_callback(partial(self._resolved, waiting))
        return waiting

    def _resolved(self, waiting: "_Waiting", sent: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        self._settle(waiting, None if error is None else translated(error))

    def _settle(self, waiting: "_Waiting", error: Exception | None) -> None:
        if waiting not in self._unresolved:  # it was abandoned
            return
        self._unresolved.remove(waiting)
        waiting.batch.close()
        total = waiting.batch.record_count()
        self._count(-total)
        (self._acknowledged if error is None else self._failed).inc(total)
        if error is None:
            waiting.resolved.set_result(None)
        else:
            waiting.resolved.set_exception(error)
            waiting.resolved.exception()  # mark as seen: whoever sent it may have stopped waiting

    def abandon(self) -> None:
        for waiting in tuple(self._unresolved):
            self._settle(waiting, KafkaUnavailable("Kafka did not take it before the end"))


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A batch that Kafka has not resolved."""

    batch: RecordBatch
    resolved: asyncio.Future[None]


def _failed(error: Exception) -> asyncio.Future[None]:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    never.set_exception(error)
    never.exception()  # mark as seen
    return never


def _sorted_out(topic: Topic, records: Sequence[Record]) -> tuple[list[Sending], Sequence[int]]:
    """Those that are too large, refused each for itself, and the places of the others."""
    if max([len(record.value) for record in records], default=0) < _SURELY_FITS:  # nearly always
        return [], range(len(records))
    refused: list[Sending] = []
    fitting: list[int] = []
    for place, record in enumerate(records):
        try:
            refuse_size(topic, record.size)
        except RecordRefused as error:
            refused.append(Sending((place,), _failed(error)))
        else:
            fitting.append(place)
    return refused, fitting
