"""The selected records of the received topic, from all partitions side by side, each partition in order.

Side by side, so that every analyzer of the fleet gets its part of a replay from its beginning on. Where few records
are selected of many, the reader jumps from one to the next.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition

from schemas.codec import RawRecord
from schemas.topics import RECEIVED
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.topic_logs import open_reader
from undertone.errors import CommandError
from undertone.replay.logs import SILENCE_SECONDS

_POLL_MILLISECONDS = 500
_MOST_RECORDS = 500
_JUMP = 2_000
"""Records between two that are selected from which to seek is cheaper than to read them."""


async def selected_records(
    connection: KafkaConnection, pending: Mapping[int, "array[int]"]
) -> AsyncIterator[list[RawRecord]]:
    """The pending records as they come; without those that Kafka lost. Raises CommandError, KafkaError."""
    name = connection.topic_name(RECEIVED)
    cursors = {TopicPartition(name, number): _Cursor(offsets) for number, offsets in pending.items() if offsets}
    if not cursors:
        return
    async with open_reader(connection) as reader:
        reader.assign(list(cursors))
        ends = await reader.end_offsets(list(cursors))
        for place, cursor in cursors.items():
            reader.seek(place, cursor.wanted)
        clock = asyncio.get_running_loop().time
        heard_at = clock()
        while cursors:
            found = await reader.getmany(*cursors, timeout_ms=_POLL_MILLISECONDS, max_records=_MOST_RECORDS)
            selected = [record for place, batch in found.items() for record in cursors[place].take(batch)]
            if selected:
                yield selected
            if found:
                heard_at = clock()
            elif clock() - heard_at > SILENCE_SECONDS:
                raise CommandError(f"Kafka sent nothing of {name} for {SILENCE_SECONDS:.0f} s; try again.")
            for place in list(cursors):
                await _move_on(reader, place, cursors, ends[place])


async def _move_on(reader: Any, place: Any, cursors: "dict[Any, _Cursor]", end: int) -> None:
    """Forget a partition that is read, and jump where the next selected record is far."""
    position = await reader.position(place)
    cursor = cursors[place]
    if cursor.is_done or position >= end:
        del cursors[place]
    elif cursor.wanted - position > _JUMP:
        reader.seek(place, cursor.wanted)


class _Cursor:
    """Where the selection of a partition goes on."""

    def __init__(self, offsets: "array[int]") -> None:
        self._offsets = offsets
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._offsets)

    @property
    def wanted(self) -> int:
        """The next selected offset."""
        return self._offsets[self._at]

    def take(self, batch: Iterable[Any]) -> list[RawRecord]:
        """The selected ones of these records, which come in order."""
        selected = []
        for record in batch:
            self._at = bisect_left(self._offsets, record.offset, self._at)
            if not self.is_done and self.wanted == record.offset:
                selected.append(raw_record(record, RECEIVED))
                self._at += 1
        return selected
