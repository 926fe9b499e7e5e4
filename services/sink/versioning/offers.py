"""Which analysis versions the analyzers have engines for, as they say it in the control log.

Read when somebody asks, from where the last question stopped. Only a word that still stands counts: an analyzer
repeats it while it runs, and takes it back when it stops. Older analyzers say nothing, so silence means nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.analysis_control import EnginesOffered
from schemas.codec import UndecodableRecord, decode
from schemas.topics import CONTROL
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.logs import get_logger
from services.runtime.topic_logs import open_reader

_log = get_logger(__name__)

_ASK_SECONDS: Final = 2.0
"""What is not read by then is read by a later question."""
_QUIET_SECONDS: Final = 5.0
"""After a question without an answer: Kafka is not asked before."""
_POLL_MILLISECONDS: Final = 200
_TYPE: Final = ("ce_type", EnginesOffered.type.encode())


@dataclass(frozen=True, slots=True)
class Offer:
    """An analyzer's newest word, and when it was said by the broker's clock."""

    instance: str
    versions: tuple[str, ...]
    said_at: datetime
    stands: timedelta

    def counts(self, now: datetime) -> bool:
        """Whether the analyzer may still be there."""
        return bool(self.versions) and self.age(now) < self.stands

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have been said again: that is done after a third of the time for which it stands."""
        return self.age(now) >= self.stands / 2

    def age(self, now: datetime) -> timedelta:
        """The broker's clock may be a little ahead of ours."""
        return max(timedelta(0), now - self.said_at)


class Offers:
    """The newest word of each instance. Pure."""

    def __init__(self) -> None:
        self._newest: dict[str, Offer] = {}

    def apply(self, event: EnginesOffered, said_at: datetime) -> None:
        """Take a record of the log into account."""
        stands = timedelta(seconds=event.stands_seconds)
        self._newest[event.offered_by] = Offer(event.offered_by, event.analysis_versions, said_at, stands)

    def standing(self, now: datetime) -> Sequence[Offer]:
        """By name; what counts no more is forgotten."""
        self._newest = {name: offer for name, offer in self._newest.items() if offer.counts(now)}
        return [self._newest[name] for name in sorted(self._newest)]


class OffersReader:
    """Asks one Kafka; connects when it is first asked."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._place = TopicPartition(connection.topic_name(CONTROL), 0)
        self._offers = Offers()
        self._opened = AsyncExitStack()
        self._reader: Any = None
        self._lock = asyncio.Lock()
        self._asks_again_at = float("-inf")

    async def standing(self, now: datetime) -> Sequence[Offer] | None:
        """What counts now; none while Kafka does not say, or has not said all of it yet."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() < self._asks_again_at:
                return None
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    await self._read()
            except (KafkaError, OSError, TimeoutError) as error:
                _log.info("engines_not_known", reason=type(error).__name__)
                self._asks_again_at = clock() + _QUIET_SECONDS
                return None
            return self._offers.standing(now)

    async def _read(self) -> None:
        reader = await self._connected()
        end = (await reader.end_offsets([self._place]))[self._place]
        if await reader.position(self._place) > end:  # the log was made anew
            self._offers = Offers()
            await reader.seek_to_beginning(self._place)
        while await reader.position(self._place) < end:
            for messages in (await reader.getmany(self._place, timeout_ms=_POLL_MILLISECONDS)).values():
                for message in messages:
                    self._apply(message)

    def _apply(self, message: Any) -> None:
        if _TYPE not in message.headers:  # most of the log: money that is granted
            return
        record = raw_record(message, CONTROL)
        with suppress(UndecodableRecord):  # the analyzers complain about it
            event = decode(record, CONTROL).event
            assert isinstance(event, EnginesOffered), "its type says so"
            self._offers.apply(event, record.received_at)

    async def _connected(self) -> Any:
        if self._reader is None:
            self._reader = await self._opened.enter_async_context(open_reader(self._connection))
            self._reader.assign([self._place])
        return self._reader

    async def close(self) -> None:
        """Leave Kafka."""
        with suppress(KafkaError):
            await self._opened.aclose()


@asynccontextmanager
async def open_offers(connection: KafkaConnection) -> AsyncIterator[OffersReader]:
    """Opens without Kafka."""
    reader = OffersReader(connection)
    try:
        yield reader
    finally:
        await reader.close()
