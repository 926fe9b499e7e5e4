"""Many records at once: those of one partition travel as one batch with one future, not with one for each record.

What comes while a partition's batch still waits to be sent waits as well and makes the next batch, so a Kafka that is
slow for a while gets fewer and larger batches, and nothing that waits costs more the longer it waits.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import MIB, Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.metrics import PUBLISHED
from services.runtime.partitioner import partitions_of
from services.runtime.producers import MAX_BATCH_BYTES
from services.runtime.record_batches import Record, RecordBatch
from services.runtime.send_errors import RecordRefused, refuse_size, translated

Count = Callable[[int], None]
_SURELY_FITS = MIB
"""A value so small needs no closer look: keys and headers are far from making up the rest of the limit."""


@dataclass(frozen=True, slots=True)
class Sending:
    """Records of one partition; `places` are theirs in what was given to be sent."""

    places: Sequence[int]
    resolved: asyncio.Future[None]
    """Done when all in-sync replicas have them; else raises KafkaUnavailable or RecordRefused."""


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
        places_of: defaultdict[int, list[int]] = defaultdict(list)
        partition_of_each = partitions_of([records[place].key for place in fitting], partitions)
        for place, partition in zip(fitting, partition_of_each, strict=True):
            places_of[partition].append(place)
        for partition, places in places_of.items():
            lane = self._lanes.get((name, partition))
            if lane is None:
                lane = self._lanes[name, partition] = _Lane(producer, topic, name, partition, self._count)
            sendings.append(Sending(places, lane.add([records[place] for place in places])))
        return sendings

    def abandon(self) -> None:
        """Give up what has no place yet."""
        for lane in self._lanes.values():
            lane.abandon()


class _Share:
    """The records of one sending: resolved when each of its batches is."""

    __slots__ = ("_left", "_placed", "_records", "resolved")

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._placed = 0
        self._left = len(records)
        self.resolved: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def unplaced(self) -> int:
        return len(self._records) - self._placed

    def place_in(self, batch: RecordBatch) -> int:
        """Put as many records into a batch as it takes; returns how many."""
        placed = batch.add(self._records, self._placed)
        self._placed += placed
        return placed

    def settle(self, count: int, error: Exception | None) -> None:
        self._left -= count
        if self.resolved.done():
            return
        if error is not None:
            self.resolved.set_exception(error)
            self.resolved.exception()  # mark as seen: whoever sent it may have stopped waiting
        elif self._left == 0:
            self.resolved.set_result(None)


_Shares = dict[_Share, int]
"""How many records of each share a batch holds."""


class _Lane:
    """One partition: what waits for a place, and a task that gives out places while something waits."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic, name: str, partition: int, count: Count) -> None:
        self._producer = producer
        self._name = name
        self._partition = partition
        self._count = count
        self._acknowledged = PUBLISHED.labels(topic.name, "acknowledged")
        self._failed = PUBLISHED.labels(topic.name, "failed")
        self._waiting: deque[_Share] = deque()
        self._worker: asyncio.Task[None] | None = None

    def add(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Line records up behind those that wait."""
        share = _Share(records)
        self._waiting.append(share)
        self._count(len(records))
        if self._worker is None:
            self._worker = asyncio.create_task(self._give_out_places())
        return share.resolved

    async def _give_out_places(self) -> None:
        shares: _Shares = {}
        try:
            while self._waiting:
                batch, shares = self._fill_batch()
                try:  # waits while the partition's last batch is not on its way
                    sent = await self._producer.send_batch(batch, self._name, partition=self._partition)
                except KafkaError as error:
                    self._settle(shares, translated(error))
                else:
                    sent.add_done_callback(partial(self._resolved, shares))
                shares = {}
        finally:
            self._worker = None
            self._give_up(shares)

    def _fill_batch(self) -> tuple[RecordBatch, _Shares]:
        """As much of what waits as a batch holds; a large record has its own."""
        batch, shares = RecordBatch(MAX_BATCH_BYTES), _Shares()
        while self._waiting:
            share = self._waiting[0]
            if placed := share.place_in(batch):
                shares[share] = placed
            if share.unplaced:
                break
            self._waiting.popleft()
        return batch, shares

    def _resolved(self, shares: _Shares, sent: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        self._settle(shares, None if error is None else translated(error))

    def _settle(self, shares: _Shares, error: Exception | None) -> None:
        total = sum(shares.values())
        self._count(-total)
        (self._acknowledged if error is None else self._failed).inc(total)
        for share, count in shares.items():
            share.settle(count, error)

    def _give_up(self, shares: _Shares) -> None:
        """Tell those who have no place that they get none: the task was cancelled, or has met a bug."""
        for share in self._waiting:
            shares[share] = shares.get(share, 0) + share.unplaced
        self._waiting.clear()
        if shares:
            self._settle(shares, KafkaUnavailable("Kafka did not take it before the end"))

    def abandon(self) -> None:
        if self._worker is not None:
            self._worker.cancel()


def _sorted_out(topic: Topic, records: Sequence[Record]) -> tuple[list[Sending], Sequence[int]]:
    """Those that are too large, refused each for itself, and the places of the others."""
    if max([len(record.value) for record in records], default=0) < _SURELY_FITS:  # nearly always
        return [], range(len(records))
    refused: list[Sending] = []
    fitting: list[int] = []
    for place, record in enumerate(records):
        try:
            refuse_size(topic, len(record.key) + len(record.value) + len(record.headers))
        except RecordRefused as error:
            never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            never.set_exception(error)
            never.exception()  # mark as seen
            refused.append(Sending((place,), never))
        else:
            fitting.append(place)
    return refused, fitting
