"""Outcomes travel together and are done once each; a failure under several versions is one dead letter."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from uuid import uuid4

import pytest

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import RawRecord, decode
from schemas.dead_letter import DeadLetterReason
from schemas.event import Event, Lane, Revision
from schemas.insight_produced import InsightProduced
from schemas.outcome import Outcome
from schemas.topics import ANALYZED, Topic
from services.analyzer.arrivals import Arrival
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import SOURCE, insight_of, record_of
from services.runtime.dead_letters import DeadLetters
from services.runtime.kafka import KafkaUnavailable
from services.runtime.publisher import EventPublisher, Record, RecordRefused, Sending
from tests.builders import NOW, a_conversation, a_record, an_envelope
from tests.fakes import ReadRecord, as_read
from tests.integration.analyzer.engines import a_finding
from tests.unit.analyzer.versions import FREE, PAID


class Topics:
    """Takes what comes together as one batch; keeps dead letters and outcomes."""

    def __init__(self) -> None:
        self.buried: list[str] = []
        self.alone: list[bytes] = []
        """The keys of those that came alone."""
        self.values: list[bytes] = []
        self.refused: Callable[[ReadRecord], bool] = lambda _: False
        self.away = 0
        """So many batches get lost."""
        self.is_unknown = False
        """Whether nobody knows the topic's partitions yet."""

    @property
    def outcomes(self) -> int:
        return len(self.values)

    async def bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        self.buried.append(detail)

    async def publish_record(self, _: Topic, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self.alone.append(key)
        if self.refused(ReadRecord(key, value, headers)):
            raise RecordRefused("too large")
        self.values.append(value)

    async def enqueue_together(self, _: Topic, records: Sequence[Record]) -> list[Sending]:
        if self.is_unknown:
            raise KafkaUnavailable("no metadata")
        resolved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.away:
            self.away -= 1
            resolved.set_exception(KafkaUnavailable("Kafka is away"))
        elif any(self.refused(record) for record in as_read(records)):
            resolved.set_exception(RecordRefused("too large"))
        else:
            self.values += [record.value for record in records]
            resolved.set_result(None)
        return [Sending(range(len(records)), resolved)]


def _is_of(event: type[Event]) -> Callable[[ReadRecord], bool]:
    return lambda record: ("ce_type", event.type.encode()) in record.headers


async def _fail(*versions: str) -> tuple[Topics, list[int]]:
    topics, acknowledged = Topics(), list[int]()
    ledger = Ledger({Lane.LIVE: InFlightWindow(max_bytes=1_000_000, max_count=10)})
    ledger.open()
    place = await ledger.admit(Lane.LIVE, 0, 0, 10, lambda: acknowledged.append(0))
    assert place is not None
    ledger.expect(place, versions)
    outbox = Outbox(cast("EventPublisher", topics), cast("DeadLetters", topics), ledger, lambda: NOW)
    for version in versions:
        assert not acknowledged
        await outbox.fail(_arrival(place, version), FailureReason.LLM_ERROR, "no answer", attempts=1)
    return topics, acknowledged


def _arrival(place: RecordPlace, version: str) -> Arrival:
    conversation = a_conversation()
    return Arrival(Lane.LIVE, a_record(conversation), place, conversation, an_envelope(), Revision(1, 0), version)


async def test_a_failure_under_the_only_version_is_a_dead_letter_that_needs_not_name_it() -> None:
    topics, acknowledged = await _fail(FREE)
    assert (topics.buried, topics.outcomes, acknowledged) == (["no answer"], 1, [0])


async def test_failures_under_two_versions_are_one_dead_letter_that_names_the_first() -> None:
    topics, acknowledged = await _fail(PAID, FREE)
    assert (topics.buried, topics.outcomes, acknowledged) == ([f"under {PAID}: no answer"], 2, [0])


async def test_what_an_insight_cost_that_kafka_refuses_is_carried_by_its_failure() -> None:
    topics = Topics()
    ledger = Ledger({Lane.LIVE: InFlightWindow(max_bytes=1_000_000, max_count=10)})
    ledger.open()
    place = await ledger.admit(Lane.LIVE, 0, 0, 10, lambda: None)
    assert place is not None
    ledger.expect(place, (PAID,))
    outbox = Outbox(cast("EventPublisher", topics), cast("DeadLetters", topics), ledger, lambda: NOW)
    arrival = _arrival(place, PAID)
    finding = replace(a_finding(arrival.task()), input_tokens=100, output_tokens=20, cost_usd=0.000_25)
    topics.refused = _is_of(InsightProduced)
    await outbox.deliver(arrival, insight_of(arrival, finding, batch_id=uuid4(), started_at=NOW, now=NOW))
    failure = AnalysisFailed.model_validate_json(topics.values[-1])
    assert failure.reason is FailureReason.UNPUBLISHABLE
    assert (failure.input_tokens, failure.output_tokens, failure.cost_usd) == (100, 20, 0.000_25)


@dataclass
class Delivering:
    """Three conversations with an insight each."""

    topics: Topics
    outbox: Outbox
    outcomes: list[tuple[Arrival, Outcome]]
    acknowledged: list[int]

    @property
    def published(self) -> list[str]:
        """The conversations that the topic has outcomes of."""
        return [json.loads(value)["conversation_id"] for value in self.topics.values]


@pytest.fixture
async def delivering() -> Delivering:
    topics, acknowledged = Topics(), list[int]()
    ledger = Ledger({Lane.LIVE: InFlightWindow(max_bytes=1_000_000, max_count=10)})
    ledger.open()
    outcomes: list[tuple[Arrival, Outcome]] = []
    for offset in range(3):
        place = await ledger.admit(Lane.LIVE, 0, offset, 10, partial(acknowledged.append, offset))
        assert place is not None
        ledger.expect(place, (FREE,))
        conversation = a_conversation(f"c{offset}")
        record, revision = a_record(conversation, offset=offset), Revision(1, offset)
        arrival = Arrival(Lane.LIVE, record, place, conversation, an_envelope(), revision, FREE)
        finding = a_finding(arrival.task())
        outcomes.append((arrival, insight_of(arrival, finding, batch_id=uuid4(), started_at=NOW, now=NOW)))
    outbox = Outbox(cast("EventPublisher", topics), cast("DeadLetters", topics), ledger, lambda: NOW)
    return Delivering(topics, outbox, outcomes, acknowledged)


async def test_outcomes_travel_together_and_each_is_done(delivering: Delivering) -> None:
    await delivering.outbox.deliver_all(delivering.outcomes)
    assert (delivering.published, delivering.topics.alone) == (["c0", "c1", "c2"], [])
    assert delivering.acknowledged == [0, 1, 2]


async def test_what_is_lost_together_is_sent_again_each_for_itself(delivering: Delivering) -> None:
    delivering.topics.away = 1
    await delivering.outbox.deliver_all(delivering.outcomes)
    assert (delivering.published, delivering.topics.alone) == (["c0", "c1", "c2"], [b"c0", b"c1", b"c2"])
    assert delivering.acknowledged == [0, 1, 2]


async def test_before_the_partitions_are_known_each_waits_for_itself(delivering: Delivering) -> None:
    delivering.topics.is_unknown = True
    await delivering.outbox.deliver_all(delivering.outcomes)
    assert (delivering.published, delivering.acknowledged) == (["c0", "c1", "c2"], [0, 1, 2])


async def test_one_that_kafka_refuses_takes_none_of_those_beside_it_along(delivering: Delivering) -> None:
    is_insight = _is_of(InsightProduced)
    delivering.topics.refused = lambda record: record.key == b"c1" and is_insight(record)
    await delivering.outbox.deliver_all(delivering.outcomes)
    assert delivering.published == ["c0", "c1", "c2"]
    failure = AnalysisFailed.model_validate_json(delivering.topics.values[1])
    assert (failure.reason, len(delivering.topics.buried)) == (FailureReason.UNPUBLISHABLE, 1)
    assert delivering.acknowledged == [0, 1, 2]


@pytest.mark.parametrize("replay_id", [None, "replay-1"])
async def test_the_record_of_an_outcome_reads_as_any_other(delivering: Delivering, replay_id: str | None) -> None:
    arrival, outcome = delivering.outcomes[0]
    arrival.envelope = replace(arrival.envelope, replay_id=replay_id)
    (written,) = as_read([record_of(arrival, outcome, NOW)])
    read = decode(RawRecord(ANALYZED.name, 0, 0, 0, *written), ANALYZED)
    assert read.event == outcome
    envelope = read.envelope
    assert (envelope.source, envelope.time, envelope.replay_id) == (SOURCE, NOW, replay_id)
    assert envelope.correlation_id == arrival.envelope.correlation_id
    assert envelope.traceparent.split("-")[1] == arrival.envelope.traceparent.split("-")[1]
    assert envelope.id != arrival.envelope.id
