"""What fails under several versions: one dead letter, and a failure under each."""

import asyncio
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import RawRecord
from schemas.dead_letter import DeadLetterReason
from schemas.event import Lane, Revision
from schemas.insight_produced import InsightProduced
from services.analyzer.arrivals import Arrival
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import insight_of
from services.runtime.dead_letters import DeadLetters
from services.runtime.publisher import EventPublisher, Published, RecordRefused
from tests.builders import NOW, a_conversation, a_record, an_envelope
from tests.integration.analyzer.engines import a_finding
from tests.unit.analyzer.versions import FREE, PAID


class Topics:
    """Takes everything at once; keeps dead letters and the number of outcomes."""

    def __init__(self) -> None:
        self.buried: list[str] = []
        self.outcomes = 0
        self.values: list[bytes] = []
        self.refused = ""
        """The type of events that are refused."""

    async def bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        self.buried.append(detail)

    async def publish_record(self, *_: Any) -> None:
        raise RecordRefused("too large")

    async def enqueue(self, *record: Any) -> "asyncio.Future[Published]":
        _, _, value, headers = record
        if ("ce_type", self.refused.encode()) in headers:
            raise RecordRefused("too large")
        self.outcomes += 1
        self.values.append(value)
        sent: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        sent.set_result(Published(0, self.outcomes, 0))
        return sent


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
    topics.refused = InsightProduced.type
    await outbox.deliver(arrival, insight_of(arrival, finding, batch_id=uuid4(), started_at=NOW, now=NOW))
    failure = AnalysisFailed.model_validate_json(topics.values[-1])
    assert failure.reason is FailureReason.UNPUBLISHABLE
    assert (failure.input_tokens, failure.output_tokens, failure.cost_usd) == (100, 20, 0.000_25)
