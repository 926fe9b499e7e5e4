"""A Kafka with the contract's topics, seen by a test: what it writes, and what came out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.analysis_control import ActiveVersionChanged, HoldDeclared
from schemas.codec import RawRecord, decode, encode
from schemas.conversation_received import ConversationReceived
from schemas.dead_letter import DeadLetter, exhume
from schemas.envelope import Envelope
from schemas.event import Event
from schemas.outcome import Outcome
from schemas.topics import ANALYZED, CONTROL, DEAD_LETTER, RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection, raw_record
from tests.builders import an_envelope
from tests.waiting import eventually

E = TypeVar("E", bound=Event)


@dataclass
class World:
    """Writes records and reads topics whole."""

    connection: KafkaConnection
    producer: AIOKafkaProducer
    _read: dict[str, list[RawRecord]] = field(default_factory=dict)
    _readers: dict[str, AIOKafkaConsumer] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)

    async def close(self) -> None:
        await self.producer.stop()
        for reader in self._readers.values():
            await reader.stop()

    async def post(
        self, conversations: Sequence[ConversationReceived], topic: Topic = RECEIVED, envelope: Envelope | None = None
    ) -> None:
        """Write conversations as ingress (or a replay) does."""
        sent = []
        for conversation in conversations:
            value, headers = encode(conversation, envelope or an_envelope())
            key = conversation.conversation_id.encode()
            sent.append(await self.producer.send(self.connection.topic_name(topic), value, key=key, headers=headers))
        for future in sent:
            await future

    async def write(self, topic: Topic, key: bytes | None, value: bytes | None, partition: int | None = None) -> None:
        """Write any bytes."""
        await self.producer.send_and_wait(self.connection.topic_name(topic), value, key=key, partition=partition)

    async def hold(self, seconds: float, **fields: Any) -> None:
        event = HoldDeclared(hold_seconds=seconds, reason="a test", declared_by="test", **fields)
        value, headers = encode(event, an_envelope())
        await self.producer.send_and_wait(self.connection.topic_name(CONTROL), value, key=b"hold", headers=headers)

    async def decide(self, active: str, *also: str, serial: int | None = None, age_seconds: float = 0) -> None:
        """Say what live traffic is analysed under; an age is kept only by a log whose times are its writers'."""
        event = ActiveVersionChanged(
            analysis_version=active, also_analysed_under=also, serial=serial, reason="a test", changed_by="test"
        )
        value, headers = encode(event, an_envelope())
        await self.producer.send_and_wait(
            self.connection.topic_name(CONTROL),
            value,
            key=b"active-version",
            headers=headers,
            timestamp_ms=round((time.time() - age_seconds) * 1000),
        )

    async def keep_times_of_writers(self) -> None:
        """Let the control log take writers' times instead of the broker's, so that a record can be old."""
        await self.configure(CONTROL, {"message.timestamp.type": "CreateTime"})

        async def is_kept() -> bool:  # the broker learns of it a little later
            value, headers = encode(HoldDeclared(hold_seconds=0, reason="a test", declared_by="test"), an_envelope())
            yesterday = round((time.time() - 86_400) * 1000)
            name = self.connection.topic_name(CONTROL)
            sent = await self.producer.send_and_wait(name, value, key=b"hold", headers=headers, timestamp_ms=yesterday)
            assert sent.timestamp == yesterday, sent
            return True

        await eventually(is_kept)

    async def decisions(self) -> list[ActiveVersionChanged]:
        """All that the control log holds."""
        events = [decode(record, CONTROL).event for record in await self.records(CONTROL)]
        return [event for event in events if isinstance(event, ActiveVersionChanged)]

    async def records(self, topic: Topic) -> list[RawRecord]:
        """Everything that the topic has held so far."""
        name = self.connection.topic_name(topic)
        if name not in self._readers:
            reader = AIOKafkaConsumer(**self.connection.client_options(), enable_auto_commit=False)
            await reader.start()
            partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
            reader.assign(partitions)
            await reader.seek_to_beginning(*partitions)
            self._readers[name], self._read[name] = reader, []
        for batch in (await self._readers[name].getmany(timeout_ms=100)).values():
            self._read[name] += [raw_record(message, topic) for message in batch]
        return self._read[name]

    async def outcomes(self) -> list[Outcome]:
        for record in (await self.records(ANALYZED))[len(self._outcomes) :]:
            outcome = decode(record, ANALYZED).event
            assert isinstance(outcome, Outcome)
            self._outcomes.append(outcome)
        return self._outcomes

    async def outcomes_by_id(self) -> Mapping[str, list[Outcome]]:
        found: dict[str, list[Outcome]] = {}
        for outcome in await self.outcomes():
            found.setdefault(outcome.conversation_id, []).append(outcome)
        return found

    async def has_outcomes_for(self, conversations: Sequence[ConversationReceived]) -> bool:
        """Whether every conversation has at least one outcome; the assertion names how many are missing."""
        missing = {conversation.conversation_id for conversation in conversations} - set(await self.outcomes_by_id())
        assert not missing, f"{len(missing)} without an outcome, such as {min(missing)}"
        return True

    async def dead_letters(self) -> list[tuple[RawRecord, DeadLetter]]:
        return [(record, exhume(record.headers)) for record in await self.records(DEAD_LETTER)]

    async def limit_record_bytes(self, topic: Topic, most: int) -> None:
        """As an operator may: let the topic take smaller records only."""
        await self.configure(topic, {"max.message.bytes": str(most)})

    async def configure(self, topic: Topic, values: dict[str, str]) -> None:
        """Change what the broker does with a topic."""
        admin = AIOKafkaAdminClient(**self.connection.client_options())
        await admin.start()
        try:
            name = self.connection.topic_name(topic)
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, values)])
        finally:
            await admin.close()

    async def uncommitted(self, *topics: Topic) -> int:
        """How many records of the lanes are not acknowledged in the analyzer's group."""
        admin = AIOKafkaAdminClient(**self.connection.client_options())
        await admin.start()
        consumer = AIOKafkaConsumer(**self.connection.client_options())
        await consumer.start()
        try:
            committed = await admin.list_consumer_group_offsets(self.connection.group_name("analyzer"))
            lanes = topics or (RECEIVED, REPLAY)
            names = [
                TopicPartition(self.connection.topic_name(topic), number)
                for topic in lanes
                for number in range(topic.partitions)
            ]
            begins, ends = await consumer.beginning_offsets(names), await consumer.end_offsets(names)
            return sum(
                ends[name]
                - (committed[name].offset if name in committed and committed[name].offset >= 0 else begins[name])
                for name in names
            )
        finally:
            await consumer.stop()
            await admin.close()

    async def is_all_acknowledged(self) -> bool:
        assert (missing := await self.uncommitted()) == 0, f"{missing} records are not acknowledged"
        return True
