"""Stored offsets written to Kafka too, once a second at most: for lag tools. Nothing reads them back."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime.logs import get_logger
from services.sink.batch import Claim, Place

_log = get_logger(__name__)

_INTERVAL_SECONDS = 1.0


class OffsetMirror:
    """Writes behind the loop, which never waits for it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._written: dict[Place, int] = {}
        self._writing: asyncio.Task[None] | None = None
        self._next_at = 0.0

    def publish(self, claims: Mapping[Place, Claim]) -> None:
        """Write what has moved since the last time, unless a write is under way or was a moment ago."""
        now = asyncio.get_running_loop().time()
        if now < self._next_at or (self._writing is not None and not self._writing.done()):
            return
        moved = {
            place: claim.next_offset for place, claim in claims.items() if self._written.get(place) != claim.next_offset
        }
        if moved:
            self._next_at = now + _INTERVAL_SECONDS
            self._writing = asyncio.create_task(self._write(moved))

    async def close(self, claims: Mapping[Place, Claim]) -> None:
        """Write the last offsets, if Kafka takes them in time."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_INTERVAL_SECONDS)
        self._next_at = 0.0
        self.publish(claims)
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_INTERVAL_SECONDS)
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing

    async def _write(self, offsets: Mapping[Place, int]) -> None:
        try:
            await self._consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()})
        except KafkaError as error:  # a rebalance or an outage: the next write brings it up to date
            _log.debug("offset_mirror_skipped", reason=type(error).__name__)
        else:
            self._written |= offsets
