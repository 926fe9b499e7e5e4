"""Readers of the stream of insights, over what the harness stores."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.sink.endpoints.stream import StreamOfReader, StreamParameters
from services.sink.feed import InsightFeed
from services.sink.positions import Positions, position_text
from services.sink.resources import Resources
from tests.integration.sink.harness import Sink


@asynccontextmanager
async def running_feed(resources: Resources) -> AsyncIterator[InsightFeed]:
    """A feed over what the harness stores: its topic is called `analyzed`."""
    stop = asyncio.Event()
    feed = InsightFeed(resources.database, "readers", "analyzed")
    task = asyncio.create_task(feed.run(stop))
    try:
        yield feed
    finally:
        stop.set()
        await task


async def sinks(pool: asyncpg.Pool, count: int) -> list[Sink]:
    return [await Sink(pool, group="readers", partition=partition).claim() for partition in range(count)]


class Reader:
    """Reads a stream to its end, or until it is left."""

    def __init__(self, feed: InsightFeed, position: Positions, heartbeat_seconds: float = 0.2, **asked: Any) -> None:
        self.seen: list[str] = []
        self.last_id = position_text(position)  # a client that hears nothing keeps the id it came with
        self.is_over = False
        self._chunks = StreamOfReader(feed, StreamParameters(**asked), heartbeat_seconds).chunks(position)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self._chunks:
            for line in chunk.decode().split("\n"):
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    self.seen.append(json.loads(line.removeprefix("data: "))["conversation_id"])
        self.is_over = True

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    def has_or(self, count: int, other: asyncio.Future[Any]) -> Callable[[], bool]:
        return lambda: len(self.seen) >= count or other.done()

    def has(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            if self.task.done():
                self.task.result()
            return len(self.seen) >= count

        return check


def all_have(readers: Sequence[Reader], count: int) -> Callable[[], bool]:
    return lambda: all(len(reader.seen) == count for reader in readers)
