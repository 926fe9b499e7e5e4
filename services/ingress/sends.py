"""Sending records and waiting for Kafka, both within bounds.

A send that was not acknowledged in time keeps its place in the producer's queue; what became of it is unknown, and
it counts as waiting until Kafka resolves it.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol

from schemas.topics import RECEIVED, Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.problems import Problem
from services.runtime.publisher import Record, RecordRefused, Sending


class Publisher(Protocol):
    """What the ingress needs of `services.runtime.publisher.EventPublisher`."""

    @property
    def waiting(self) -> int:
        """Sends that Kafka has not resolved yet."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether Kafka was reached since the start."""
        ...

    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        """Give records their places among the waiting sends."""
        ...


class Sent(Enum):
    """What is known of a send when the time to wait for it is over."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """Kafka will never take it."""


Tell = Callable[[Sequence[int], Sent], None]
"""Hears what became of the records at some places."""


class SendLimits(NamedTuple):
    """How long one request waits, and how much may wait at once, of all requests."""

    ack_timeout_seconds: float
    max_waiting_sends: int
    max_waiting_bytes: int


class Sends:
    """Sends to conversations.received.v1.

    Records of requests that arrive in the same turn of the event loop travel together: that costs a fraction of a
    send for each, and delays none.
    """

    def __init__(self, publisher: Publisher, limits: SendLimits) -> None:
        self._publisher = publisher
        self._limits = limits
        self._group = _Group()
        self._carried: set[asyncio.Task[None]] = set()
        self._handed_in = 0
        """Records that have no place yet, so that the publisher does not count them."""
        self.waiting_bytes = 0
        """Of the values that were handed in and that Kafka has not resolved."""

    async def send(self, record: Record) -> Sent:
        """What became of the record within the time. Raises a 503 Problem when too much is waiting already."""
        self._admit(1, len(record.value))
        loop = asyncio.get_running_loop()
        if not self._group.records:
            loop.call_soon(self._set_off)
        answer: asyncio.Future[Sent] = loop.create_future()
        self._group.records.append(record)
        self._group.answers.append(answer)
        return await answer

    async def send_together(self, records: Sequence[Record]) -> list[Sent]:
        """What became of each record within the time. Raises a 503 Problem when too much is waiting already."""
        sizes = [len(record.value) for record in records]
        self._admit(len(records), sum(sizes))
        results = [Sent.UNKNOWN] * len(records)

        def note(places: Sequence[int], sent: Sent) -> None:
            for place in places:
                results[place] = sent

        await self._carry(records, sizes, note)
        return results

    def _admit(self, count: int, size: int) -> None:
        if (
            self._publisher.waiting + self._handed_in + count > self._limits.max_waiting_sends
            or self.waiting_bytes + size > self._limits.max_waiting_bytes
        ):
            raise Problem(503, "overloaded", "Too much is waiting for Kafka; send this again soon", retry_after=1)
        self._handed_in += count
        self.waiting_bytes += size

    def _set_off(self) -> None:
        group, self._group = self._group, _Group()
        task = asyncio.get_running_loop().create_task(self._carry_group(group))
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)

    async def _carry_group(self, group: "_Group") -> None:
        try:
            await self._carry(group.records, [len(record.value) for record in group.records], group.tell)
        except Exception as error:  # noqa: BLE001 - a bug: every request of the group hears of it, and logs it
            group.end(error)
        else:
            group.end(None)

    async def _carry(self, records: Sequence[Record], sizes: Sequence[int], tell: Tell) -> None:
        """Send, and tell what became of places as soon as it is known; what is not told in time is unknown."""
        flight = _Flight(tell)
        try:
            async with asyncio.timeout(self._limits.ack_timeout_seconds):
                for sending in await self._place(records, sum(sizes)):
                    size = sum(map(sizes.__getitem__, sending.places))
                    sending.resolved.add_done_callback(partial(self._release, size))
                    flight.follow(sending)
                await flight.landed()
        except (TimeoutError, KafkaUnavailable):
            flight.is_over = True

    async def _place(self, records: Sequence[Record], size: int) -> list[Sending]:
        try:
            return await self._publisher.enqueue_together(RECEIVED, records)
        except BaseException:
            self.waiting_bytes -= size
            raise
        finally:
            self._handed_in -= len(records)

    def _release(self, size: int, _: object) -> None:
        self.waiting_bytes -= size


class _Group:
    """Records of several requests, and where each waits for what became of it."""

    __slots__ = ("answers", "records")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.answers: list[asyncio.Future[Sent]] = []

    def tell(self, places: Sequence[int], sent: Sent) -> None:
        """Answer some; whoever has gone hears nothing."""
        for place in places:
            if not self.answers[place].done():
                self.answers[place].set_result(sent)

    def end(self, error: Exception | None) -> None:
        """Answer all who have not heard anything."""
        if error is None:
            self.tell(range(len(self.answers)), Sent.UNKNOWN)
            return
        for answer in self.answers:
            if not answer.done():
                answer.set_exception(error)


class _Flight:
    """Sends that are waited for together; `tell` hears of all places, until it is over."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._pending = 0
        self._waiter: asyncio.Future[None] | None = None
        self.is_over = False

    def follow(self, sending: Sending) -> None:
        """Tell what becomes of it."""
        self._pending += 1
        sending.resolved.add_done_callback(partial(self._resolved, sending.places))

    def _resolved(self, places: Sequence[int], resolved: asyncio.Future[Any]) -> None:
        self._pending -= 1
        if self.is_over:
            return
        self._tell(places, _result(resolved))
        if self._pending == 0 and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def landed(self) -> None:
        """Return when everything is told; being cancelled changes nothing about the sends."""
        if self._pending:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


def _result(sent: asyncio.Future[Any]) -> Sent:
    if not sent.done() or sent.cancelled():
        return Sent.UNKNOWN
    error = sent.exception()
    if error is None:
        return Sent.ACKNOWLEDGED
    return Sent.REFUSED if isinstance(error, RecordRefused) else Sent.UNKNOWN
