"""Writing conversations to Kafka directly, by the same rules as the ingress: for large imports beside it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from schemas.codec import encode_value
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Envelope, new_envelope, to_headers
from schemas.event import Lane, Revision
from schemas.topics import MAX_RECORD_BYTES, RECEIVED, REPLAY, Topic
from services.ingress.normalise import normalise, to_event
from services.ingress.reading import read_one
from services.ingress.refusals import Refusal
from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.publisher import EventPublisher, Published, RecordRefused, open_publisher, resolved
from services.runtime.send_errors import refuse_too_large
from services.runtime.settings import SharedSettings
from undertone.errors import CommandError
from undertone.ingest.outgoing import Outgoing
from undertone.ingest.sending import Problems, Sent
from undertone.writing import check_kafka

_SOURCE = "/undertone/ingest"
_GIVE_UP_AFTER_ATTEMPTS = 5
"""Each attempt waits for the producer's own delivery timeout, so this is minutes without Kafka."""

_FARTHEST_PLACE = Published(partition=0, offset=2**63 - 1, timestamp_ms=2**63 - 1)


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


@dataclass(frozen=True, slots=True)
class _Record:
    """A conversation as Kafka takes it."""

    key: bytes
    value: bytes
    envelope: Envelope

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return to_headers(self.envelope, ConversationReceived.type)


class KafkaSender:
    """Publishes ConversationReceived with acks=all from an idempotent producer.

    A bulk import marks each record as left to the replay lane and, once Kafka has it, writes the copy that is analysed
    there, with the revision of the original: the sink stores the original as any other, and live traffic never waits.
    """

    max_batch_bytes = MAX_RECORD_BYTES

    def __init__(self, publisher: EventPublisher, connection: KafkaConnection, *, is_bulk: bool = False) -> None:
        self._publisher = publisher
        self._connection = connection
        self._import_id = f"import-{uuid.uuid4()}" if is_bulk else None
        self.waiting_for: str | None = None

    async def check(self) -> None:
        """Whether Kafka and its topics are there."""
        await check_kafka(self._publisher, self._connection, [RECEIVED, REPLAY] if self._import_id else [RECEIVED])

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        rejected: dict[int, Problems] = {}
        waiting: Collection[int] = range(len(batch))
        for _ in range(_GIVE_UP_AFTER_ATTEMPTS):
            records = self._records(batch, waiting, rejected)
            done = await self._publish(RECEIVED, records, rejected)
            if self._import_id is not None:
                copies = {position: self._copy(records[position], place) for position, place in done.items()}
                done = await self._publish(REPLAY, copies, rejected)
            waiting = [position for position in records if position not in done and position not in rejected]
            if not waiting:
                self.waiting_for = None
                return Sent(rejected)
        raise CommandError(
            f"Kafka at {self._connection.bootstrap_servers} acknowledged nothing; the same command continues here."
        )

    def _records(
        self, batch: Sequence[Outgoing], positions: Collection[int], rejected: dict[int, Problems]
    ) -> dict[int, _Record]:
        """The records of these positions; what the contract refuses goes to `rejected`."""
        records: dict[int, _Record] = {}
        for position in positions:
            made = self._record(batch[position])
            if isinstance(made, _Record):
                records[position] = made
            else:
                rejected[position] = made
        return records

    def _record(self, outgoing: Outgoing) -> _Record | Problems:
        now = datetime.now(UTC)
        posted = read_one(outgoing.body, now)
        if isinstance(posted, Refusal):
            return refusal_problems(posted)
        conversation = normalise(posted)
        identifier = conversation.conversation_id
        if identifier is None:
            return [("conversation_id", "is required")]
        value = encode_value(to_event(conversation, identifier, now))
        record = _Record(identifier.encode(), value, new_envelope(_SOURCE, now))
        return record if self._import_id is None else self._left_to_replay(record)

    def _left_to_replay(self, record: _Record) -> _Record | Problems:
        """The original of a bulk import. One whose copy, which has more headers, would not fit is not begun."""
        copy = self._copy(record, _FARTHEST_PLACE)
        try:
            refuse_too_large(REPLAY, copy.key, copy.value, copy.headers)
        except RecordRefused as error:
            return [("", f"Kafka refuses the record: {error}")]
        return replace(record, envelope=replace(record.envelope, lane=Lane.REPLAY.value))

    def _copy(self, record: _Record, place: Published) -> _Record:
        """The copy for the replay lane, under the version that is active when it is analysed."""
        revision = Revision(place.timestamp_ms, place.offset)
        return replace(
            record, envelope=replace(record.envelope, lane=None, revision=revision, replay_id=self._import_id)
        )

    async def _publish(
        self, topic: Topic, records: Mapping[int, _Record], rejected: dict[int, Problems]
    ) -> dict[int, Published]:
        """Where the broker put them; of those that are neither here nor in `rejected` it is unknown."""
        futures: dict[int, asyncio.Future[Published]] = {}
        done: dict[int, Published] = {}
        for position, record in records.items():
            with self._noting(position, rejected):
                futures[position] = await self._publisher.enqueue(topic, record.key, record.value, record.headers)
        for position, future in futures.items():
            with self._noting(position, rejected):
                done[position] = await resolved(future)
        return done

    @contextmanager
    def _noting(self, position: int, rejected: dict[int, Problems]) -> Iterator[None]:
        try:
            yield
        except KafkaUnavailable as error:
            self.waiting_for = str(error)
        except RecordRefused as error:
            rejected[position] = [("", f"Kafka refuses the record: {error}")]


@asynccontextmanager
async def open_kafka_sender(settings: SharedSettings, *, is_bulk: bool = False) -> AsyncIterator[KafkaSender]:
    """A sender to the Kafka that the settings describe."""
    connection = KafkaConnection.from_settings(settings)
    async with open_publisher(connection, linger_ms=1) as publisher:
        yield KafkaSender(publisher, connection, is_bulk=is_bulk)
