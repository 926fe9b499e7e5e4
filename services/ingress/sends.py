"""Sending records and waiting for Kafka, both within bounds.

A send that was not acknowledged in time keeps its place in the producer's queue; what became of it is unknown, and
it counts as waiting until Kafka resolves it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol

from schemas.topics import RECEIVED, Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.problems import Problem
from services.runtime.publisher import Published, RecordRefused

Headers = Sequence[tuple[str, bytes]]


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
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers
    ) -> asyncio.Future[Published]:
        """Give a record its place among the waiting sends."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """What is sent."""

    key: bytes
    value: bytes
    headers: Headers


class Sent(Enum):
    """What is known of a send when the time to wait for it is over."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """Kafka will never take it."""


@dataclass(frozen=True, slots=True)
class SendLimits:
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

    async def send(self, records: Sequence[Record]) -> list[Sent]:
        """What became of each record within the time. Raises a 503 Problem when too much is waiting already."""
        size = sum(len(record.value) for record in records)
        if (
            self._publisher.waiting + len(records) > self._limits.max_waiting_sends
            or self.waiting_bytes + size > self._limits.max_waiting_bytes
        ):
            raise Problem(503, "overloaded", "Too much is waiting for Kafka; send this again soon", retry_after=1)
        flight = _Flight()
        sends: list[asyncio.Future[Published] | Sent] = []
        try:
            async with asyncio.timeout(self._limits.ack_timeout_seconds):
                for record in records:
                    sends.append(await self._enqueue(record, flight))  # noqa: PERF401 - what has a place is kept
                await flight.landed()
        except TimeoutError:  # what got no place, or is not acknowledged, is unknown
            pass
        known = [_result(send) for send in sends]
        return known + [Sent.UNKNOWN] * (len(records) - len(known))

    async def _enqueue(self, record: Record, flight: "_Flight") -> asyncio.Future[Published] | Sent:
        size = len(record.value)
        self.waiting_bytes += size
        try:
            future = await self._publisher.enqueue(RECEIVED, record.key, record.value, record.headers)
        except BaseException as error:
            self.waiting_bytes -= size
            if isinstance(error, RecordRefused):
                return Sent.REFUSED
            if isinstance(error, KafkaUnavailable):
                return Sent.UNKNOWN
            raise
        flight.pending += 1
        future.add_done_callback(partial(self._resolved, size, flight))
        return future

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


def _result(send: asyncio.Future[Published] | Sent) -> Sent:
    if isinstance(send, Sent):
        return send
    if not send.done() or send.cancelled():
        return Sent.UNKNOWN
    error = send.exception()
    if error is None:
        return Sent.ACKNOWLEDGED
    return Sent.REFUSED if isinstance(error, RecordRefused) else Sent.UNKNOWN
