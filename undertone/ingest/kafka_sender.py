"""Writing conversations to Kafka directly, by the same rules as the ingress: for large imports beside it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from schemas.codec import encode
from schemas.envelope import new_envelope
from schemas.topics import MAX_RECORD_BYTES, RECEIVED
from services.ingress.normalise import normalise, to_event
from services.ingress.reading import read_one
from services.ingress.refusals import Refusal
from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.publisher import EventPublisher, Published, RecordRefused, open_publisher, resolved
from services.runtime.settings import SharedSettings
from undertone import topics
from undertone.errors import CommandError
from undertone.ingest.outgoing import Outgoing
from undertone.ingest.sending import Problems, Sent

_SOURCE = "/undertone/ingest"
_CONNECT_SECONDS = 10.0
_GIVE_UP_AFTER_ATTEMPTS = 5
"""Each attempt waits for the producer's own delivery timeout, so this is minutes without Kafka."""


def refusal_problems(refusal: Refusal) -> Problems:
    """A refusal of the ingress as (field, problem) pairs."""
    named = [(one.field, one.problem) for one in refusal.problems]
    return named or [("", refusal.details)]


def check_conversation(outgoing: Outgoing, now: datetime) -> Problems:
    """What the ingress would refuse about it; nothing when it would be accepted."""
    posted = read_one(outgoing.body, now)
    return refusal_problems(posted) if isinstance(posted, Refusal) else ()


class DrySender:
    """Checks everything as the ingress would, and sends nothing."""

    max_batch_bytes = MAX_RECORD_BYTES

    async def check(self) -> None:
        """There is nothing to reach."""

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        now = datetime.now(UTC)
        found = ((position, check_conversation(one, now)) for position, one in enumerate(batch))
        return Sent({position: problems for position, problems in found if problems})


class KafkaSender:
    """Publishes ConversationReceived with acks=all from an idempotent producer."""

    max_batch_bytes = MAX_RECORD_BYTES

    def __init__(self, publisher: EventPublisher, connection: KafkaConnection) -> None:
        self._publisher = publisher
        self._connection = connection
        self.waiting_for: str | None = None

    async def check(self) -> None:
        """Whether Kafka and its topics are there."""
        deadline = asyncio.get_running_loop().time() + _CONNECT_SECONDS
        while not self._publisher.is_connected:
            if asyncio.get_running_loop().time() > deadline:
                raise CommandError(
                    f"Kafka does not answer at {self._connection.bootstrap_servers}: start the stack with "
                    f"`undertone up`, or set KAFKA_BOOTSTRAP_SERVERS."
                )
            await asyncio.sleep(0.05)
        missing = [change for change in await topics.plan(self._connection) if change.creates]
        if any(change.topic is RECEIVED for change in missing):
            raise CommandError(f"Kafka has no topic {missing[0].name}: create it with `undertone topics apply`.")

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        rejected: dict[int, Problems] = {}
        waiting = list(range(len(batch)))
        for _ in range(_GIVE_UP_AFTER_ATTEMPTS):
            waiting = await self._send_once(batch, waiting, rejected)
            if not waiting:
                return Sent(rejected)
        raise CommandError(
            f"Kafka at {self._connection.bootstrap_servers} acknowledged nothing; the same command continues here."
        )

    async def _send_once(
        self, batch: Sequence[Outgoing], positions: list[int], rejected: dict[int, Problems]
    ) -> list[int]:
        """Send these and return the positions of which it is unknown what became of them."""
        futures: dict[int, asyncio.Future[Published]] = {}
        for position in positions:
            try:
                future = await self._enqueue(batch[position], position, rejected)
            except RecordRefused as error:
                rejected[position] = [("", f"Kafka refuses the record: {error}")]
                continue
            if future is not None:
                futures[position] = future
        unknown = []
        for position, future in futures.items():
            try:
                await resolved(future)
            except KafkaUnavailable as error:
                self.waiting_for = str(error)
                unknown.append(position)
            except RecordRefused as error:
                rejected[position] = [("", f"Kafka refuses the record: {error}")]
        return unknown

    async def _enqueue(
        self, outgoing: Outgoing, position: int, rejected: dict[int, Problems]
    ) -> asyncio.Future[Published] | None:
        now = datetime.now(UTC)
        posted = read_one(outgoing.body, now)
        if isinstance(posted, Refusal):
            rejected[position] = refusal_problems(posted)
            return None
        conversation = normalise(posted)
        identifier = conversation.conversation_id
        if identifier is None:
            rejected[position] = [("conversation_id", "is required")]
            return None
        event = to_event(conversation, identifier, now)
        value, headers = encode(event, new_envelope(_SOURCE, now))
        return await self._publisher.enqueue(RECEIVED, identifier.encode(), value, headers)


@asynccontextmanager
async def open_kafka_sender(settings: SharedSettings) -> AsyncIterator[KafkaSender]:
    """A sender to the Kafka that the environment describes."""
    connection = KafkaConnection.from_settings(settings)
    async with open_publisher(connection, linger_ms=1) as publisher:
        yield KafkaSender(publisher, connection)
