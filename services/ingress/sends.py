"""Sending records and waiting for Kafka, both within bounds.

A send that was not acknowledged in time keeps its place in the producer's queue; what became of it is unknown, and
it counts as waiting until Kafka resolves it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol

from schemas.topics import RECEIVED, Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.problems import Problem
from services.runtime.publisher import Published, Record, RecordRefused, Sending


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

    async def enqueue(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Published]:
        """Give a record its place among the waiting sends."""
        ...

    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        """Give many records their places."""
        ...


class Sent(Enum):
    """What is known of a send when the time to wait for it is over."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """Kafka will never take it."""


class SendLimits(NamedTuple):
    """How long one request waits, and how much may wait at once, of all requests."""

    ack_timeout_seconds: float
    max_waiting_sends: int
    max_waiting_bytes: int


class Sends:
    """Sends to conversations.received.v1."""

    def __init__(self, publisher: Publisher, limits: SendLimits) -> None:
        self._publisher = publisher
        self._limits = limits
        self.waiting_bytes = 0
        """Of the values that have a place and that Kafka has not resolved."""

    async def send(self, record: Record) -> Sent:
        """What became of the record within the time. Raises a 503 Problem when too much is waiting already."""
        self._refuse_beyond_limits(1, len(record.value))
        flight = _Flight()
        sent: asyncio.Future[Published] | None = None
        try:
            async with asyncio.timeout(self._limits.ack_timeout_seconds):
                sent = await self._publisher.enqueue(RECEIVED, *record)
                self._follow(sent, len(record.value), flight)
                await flight.landed()
        except (TimeoutError, KafkaUnavailable):
            pass  # the result says what is known
        except RecordRefused:
            return Sent.REFUSED
        return Sent.UNKNOWN if sent is None else _result(sent)

    async def send_together(self, records: Sequence[Record]) -> list[Sent]:
        """What became of each record within the time. Raises a 503 Problem when too much is waiting already."""
        self._refuse_beyond_limits(len(records), sum(len(record.value) for record in records))
        flight = _Flight()
        sendings: Sequence[Sending] = ()
        with suppress(TimeoutError, KafkaUnavailable):  # what got no place, or is not acknowledged, is unknown
            async with asyncio.timeout(self._limits.ack_timeout_seconds):
                sendings = await self._publisher.enqueue_together(RECEIVED, records)
                for sending in sendings:
                    size = sum(len(records[place].value) for place in sending.places)
                    self._follow(sending.resolved, size, flight)
                await flight.landed()
        results = [Sent.UNKNOWN] * len(records)
        for sending in sendings:
            result = _result(sending.resolved)
            for place in sending.places:
                results[place] = result
        return results

    def _refuse_beyond_limits(self, count: int, size: int) -> None:
        if (
            self._publisher.waiting + count > self._limits.max_waiting_sends
            or self.waiting_bytes + size > self._limits.max_waiting_bytes
        ):
            raise Problem(503, "overloaded", "Too much is waiting for Kafka; send this again soon", retry_after=1)

    def _follow(self, sent: asyncio.Future[Any], size: int, flight: "_Flight") -> None:
        self.waiting_bytes += size
        flight.pending += 1
        sent.add_done_callback(partial(self._resolved, size, flight))

    def _resolved(self, size: int, flight: "_Flight", _: object) -> None:
        self.waiting_bytes -= size
        flight.pending -= 1
        if flight.pending == 0:
            flight.land()


class _Flight:
    """The sends of one request: how many Kafka has not resolved, and whoever waits for none to be left."""

    __slots__ = ("_waiter", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self._waiter: asyncio.Future[None] | None = None

    async def landed(self) -> None:
        """Return when nothing is pending; being cancelled changes nothing about the sends."""
        if self.pending:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def land(self) -> None:
        """Wake whoever waits."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _result(sent: asyncio.Future[Any]) -> Sent:
    if not sent.done() or sent.cancelled():
        return Sent.UNKNOWN
    error = sent.exception()
    if error is None:
        return Sent.ACKNOWLEDGED
    return Sent.REFUSED if isinstance(error, RecordRefused) else Sent.UNKNOWN
