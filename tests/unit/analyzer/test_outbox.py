"""What fails under several versions: one dead letter, and a failure under each."""

import asyncio
from typing import Any, cast

from schemas.analysis_failed import FailureReason
from schemas.codec import RawRecord
from schemas.dead_letter import DeadLetterReason
from schemas.event import Lane, Revision
from services.analyzer.arrivals import Arrival
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.outbox import Outbox
from services.runtime.dead_letters import DeadLetters
from services.runtime.publisher import EventPublisher, Published
from tests.builders import NOW, a_conversation, a_record, an_envelope
from tests.unit.analyzer.versions import FREE, PAID


class Topics:
    """Takes everything at once; keeps dead letters and the number of outcomes."""

    def __init__(self) -> None:
        self.buried: list[str] = []
        self.outcomes = 0

    async def bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        self.buried.append(detail)

    async def enqueue(self, *_: Any) -> "asyncio.Future[Published]":
        self.outcomes += 1
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
