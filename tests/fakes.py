"""Fakes: adapters that a person can read, standing in for servers in unit tests."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from aiokafka.record.default_records import DefaultRecordBatch

from schemas.codec import RawRecord
from schemas.topics import Topic
from services.runtime.publisher import Published, Record, Sending
from services.runtime.record_batches import RecordBatch


@dataclass
class FakePublisher:
    """A Kafka that acknowledges at once, never (`is_away`, or for the keys in `held`), or with an error."""

    is_away: bool = False
    held: frozenset[bytes] = frozenset()
    errors: dict[bytes, Exception] = field(default_factory=dict)
    records: list[RawRecord] = field(default_factory=list)
    unresolved: list[asyncio.Future[Published]] = field(default_factory=list)
    is_connected: bool = True
    groups: list[int] = field(default_factory=list)
    """How many records came together, each time."""

    @property
    def waiting(self) -> int:
        return sum(not future.done() for future in self.unresolved)

    async def enqueue(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Published]:
        future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        error = self.errors.get(key or b"")
        if error is not None:
            future.set_exception(error)
            return future
        offset = len(self.records)
        self.records.append(RawRecord(topic.name, 0, offset, _now_ms(), key, value, list(headers)))
        if self.is_away or key in self.held:
            self.unresolved.append(future)
        else:
            future.set_result(Published(0, offset, _now_ms()))
        return future

    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        self.groups.append(len(records))
        return [
            Sending((place,), cast("asyncio.Future[None]", await self.enqueue(topic, one.key, one.value, one.headers)))
            for place, one in enumerate(as_read(records))
        ]

    def come_back(self) -> None:
        """Acknowledge all that waits."""
        self.is_away, self.held = False, frozenset()
        for offset, future in enumerate(self.unresolved):
            if not future.done():
                future.set_result(Published(0, offset, _now_ms()))


class ReadRecord(NamedTuple):
    """What a consumer sees of a record."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def as_read(records: Sequence[Record]) -> list[ReadRecord]:
    """The records as a consumer reads them from one batch."""
    batch = RecordBatch(limit_bytes=sys.maxsize)
    assert batch.add(records) == len(records)
    batch._set_producer_state(1, 2, 3)
    written = DefaultRecordBatch(bytes(batch._build()))
    assert written.validate_crc()
    return [
        ReadRecord(one.key or b"", one.value or b"", [(name, content or b"") for name, content in one.headers])
        for one in written
    ]


def _now_ms() -> int:
    """The broker's clock, which says when a record came."""
    return time.time_ns() // 1_000_000
