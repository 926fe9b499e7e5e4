"""The feed: what was just stored, told to every reader that listens, by whichever sink it was stored.

One query a moment for the whole process, and none while nobody listens. A reader has a queue of its own: who does not
keep up loses the place in the feed, and nobody waits for it; with its last event's id it goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from services.runtime.logs import get_logger
from services.runtime.problems import Problem
from services.runtime.waiting import happened
from services.sink.database import Database
from services.sink.metrics import STREAM_READERS, STREAM_READERS_DROPPED
from services.sink.positions import Positions, position_after_page, position_text, spans_between
from services.sink.reads.members import Row, insight_members
from services.sink.sql import stream as sql
from services.sink.versions import KnownVersions, read_versions

_log = get_logger(__name__)

_POLL_SECONDS = 0.05
"""Between two looks at what is stored, each one short query: half of it on average is the time until it is seen."""
_RETRY_SECONDS = 1.0
_PAGE_ROWS = 500
"""Of each partition at once."""
_WAITING_EVENTS = 2_000
"""How far a reader may fall behind the feed."""
_CATCHING_UP = 2
"""Connections to Postgres that readers who catch up may hold together."""


@dataclass(frozen=True, slots=True)
class Told:
    """An insight as an event, written once for all readers."""

    row: Row
    version: str
    is_active: bool
    text: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, how far they lead, and whether that is all that is stored."""

    events: list[Told]
    position: Positions
    is_whole: bool


@dataclass(eq=False)
class Subscription:
    """A reader's place in the feed. `events()` gives what comes; an empty list when nothing came in time."""

    position: Positions
    is_over: bool = False
    _waiting: list[Told] = field(default_factory=list)
    _something: asyncio.Event = field(default_factory=asyncio.Event)
    _told_to: Positions = field(default_factory=dict)

    def tell(self, page: Page) -> None:
        """Put events into the queue, or give the reader up when it is full."""
        if self.is_over:
            return
        if len(self._waiting) + len(page.events) > _WAITING_EVENTS:
            STREAM_READERS_DROPPED.inc()
            self.end()
            return
        self._waiting += page.events
        self._told_to = page.position
        if page.events:
            self._something.set()

    def end(self) -> None:
        """Nothing more comes, and what waits is forgotten."""
        self.is_over = True
        self._waiting = []
        self._something.set()

    async def events(self, within_seconds: float) -> list[Told]:
        """What has come since the last call; `position` is how far it leads, and stays when it is over."""
        await happened(self._something, within_seconds=within_seconds)
        if self.is_over:
            return []
        self._something.clear()
        came, self._waiting = self._waiting, []
        self.position = self._told_to or self.position
        return came


class InsightFeed:
    """Tells readers of this process what any sink has stored."""

    def __init__(self, database: Database, group: str, topic: str) -> None:
        self._database = database
        self._group = group
        self._topic = topic
        self._position: Positions = {}
        self._readers: set[Subscription] = set()
        self._moving = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)
        self._wanted = asyncio.Event()
        self._is_ended = False

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._readers)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[Subscription]:
        """A place in the feed, from what is stored now. Raises a 503 Problem when Postgres is away."""
        async with self._moving:
            if not self._readers:
                self._position = await self._look()
            reader = Subscription(self._position)
            self._readers.add(reader)
        STREAM_READERS.set(len(self._readers))
        if self._is_ended:
            reader.end()
        self._wanted.set()
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            STREAM_READERS.set(len(self._readers))

    async def stored(self) -> Positions:
        """How far outcomes are stored now. Raises a 503 Problem when Postgres is away."""
        async with self._catching_up:
            return await self._look()

    async def page_after(self, position: Positions, until: Positions | None = None) -> Page:
        """What was stored after a position, up to another one or up to now. Raises a 503 Problem."""
        async with self._catching_up:
            return await self._read(position, until)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop` is set; then every reader's stream ends."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                if not self._readers:
                    self._wanted.clear()
                    wanted = asyncio.create_task(self._wanted.wait())
                    await asyncio.wait({wanted, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    wanted.cancel()
                    continue
                await asyncio.wait({stopping}, timeout=await self._move())
        finally:
            stopping.cancel()
            self._is_ended = True
            for reader in self._readers:
                reader.end()

    async def _move(self) -> float:
        """Tell what is new; gives the seconds to wait until the next time."""
        try:
            async with self._moving:
                page = await self._read(self._position)
                self._position = page.position
                for reader in self._readers:
                    reader.tell(page)
        except Problem as problem:  # Postgres is away: readers wait with it
            _log.warning("feed_waits", reason=problem.error)
            return _RETRY_SECONDS
        return _POLL_SECONDS if page.is_whole else 0

    async def _read(self, position: Positions, until: Positions | None = None) -> Page:
        """No snapshot is needed: what lies before an offset that was stored is seen by every later statement."""
        async with self._database.connection() as connection:
            stored = until or await self._stored(connection)
            spans = spans_between(position, stored)
            if not spans:
                return Page([], {**position, **stored}, is_whole=True)
            columns = [list(column) for column in zip(*spans, strict=True)]
            rows = await connection.fetch(sql.STORED_BETWEEN, *columns, _PAGE_ROWS)
            versions = await read_versions(connection)
        places = [(row["analyzed_partition"], row["analyzed_offset"]) for row in rows]
        reached, is_whole = position_after_page(position, stored, places, _PAGE_ROWS)
        return Page(_events(rows, position, versions), reached, is_whole)

    async def _look(self) -> dict[int, int]:
        async with self._database.connection() as connection:
            return await self._stored(connection)

    async def _stored(self, connection: Any) -> dict[int, int]:
        rows = await connection.fetch(sql.POSITIONS, self._group, self._topic)
        return {row["partition"]: row["next_offset"] for row in rows}


def _events(rows: list[Row], position: Positions, versions: KnownVersions) -> list[Told]:
    """Each event's id is how far its reader has come with it."""
    reached = dict(position)
    events = []
    for row in rows:
        reached[row["analyzed_partition"]] = row["analyzed_offset"] + 1
        version = versions.name_of(row["version_id"])
        insight = to_json(insight_members(row, version)).decode()
        text = f"id: {position_text(reached)}\nevent: insight\ndata: {insight}\n\n".encode()
        events.append(Told(row, version, version == versions.active, text))
    return events
