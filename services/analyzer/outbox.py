"""Publishing outcomes: an arrival is done, and may be acknowledged, once its outcome is durable in Kafka.

Kafka away: a publish is tried again until it is durable; a duplicate has the same id and is harmless. An outcome
that Kafka will never take becomes a dead letter and an AnalysisFailed, in this order, then the record is done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import RawRecord, encode
from schemas.conversation_skipped import ConversationSkipped
from schemas.dead_letter import DeadLetterReason
from schemas.envelope import new_envelope
from schemas.event import Event, Lane
from schemas.insight_produced import InsightProduced
from schemas.outcome import Outcome
from schemas.topics import ANALYZED, Topic
from services.analyzer.arrivals import Arrival
from services.analyzer.engine import NOTHING, Usage
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.metrics import FAILED, OUTCOMES, SKIPPED
from services.analyzer.outcomes import SOURCE, envelope_of, failed, record_of
from services.runtime.dead_letters import DeadLetters
from services.runtime.kafka import KafkaUnavailable
from services.runtime.logs import get_logger
from services.runtime.publisher import EventPublisher, RecordRefused, Sending

_log = get_logger(__name__)

_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 2.0


class Outbox:
    """Publishes and marks done; safe to call from several tasks at once."""

    def __init__(
        self, publisher: EventPublisher, dead_letters: DeadLetters, ledger: Ledger, now: Callable[[], datetime]
    ) -> None:
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._now = now

    async def deliver(self, arrival: Arrival, outcome: Outcome) -> None:
        """Return once the outcome is durable; the arrival is done then."""
        await self.deliver_all([(arrival, outcome)])

    async def deliver_all(self, outcomes: Sequence[tuple[Arrival, Outcome]]) -> None:
        """Deliver several: those of one partition travel as one."""
        now = self._now()
        records = [record_of(arrival, outcome, now) for arrival, outcome in outcomes]
        try:
            sendings = await self._publisher.enqueue_together(ANALYZED, records)
        except KafkaUnavailable:
            await self._deliver_each(outcomes)
            return
        for sending in sendings:
            those = [outcomes[place] for place in sending.places]
            if await _has_landed(sending):
                for arrival, outcome in those:
                    self._is_out(arrival, outcome)
            else:
                await self._deliver_each(those)

    async def _deliver_each(self, outcomes: Sequence[tuple[Arrival, Outcome]]) -> None:
        """Each for itself: whose fault it was that they did not get through together is not known."""
        for arrival, outcome in outcomes:
            try:
                await _until_durable(partial(self._send, arrival, outcome))
            except RecordRefused as error:
                await self._refused(arrival, outcome, error)
            else:
                self._is_out(arrival, outcome)

    def _is_out(self, arrival: Arrival, outcome: Outcome) -> None:
        _count(outcome)
        self._ledger.done(arrival.place, arrival.analysis_version)

    async def _send(self, arrival: Arrival, outcome: Outcome) -> None:
        value, headers = encode(outcome, envelope_of(arrival.envelope, self._now()))
        await self._publisher.publish_record(ANALYZED, arrival.conversation_id.encode(), value, headers)

    async def _refused(self, arrival: Arrival, outcome: Outcome, error: RecordRefused) -> None:
        if isinstance(outcome, AnalysisFailed):
            raise error  # the smallest outcome there is: not this record is wrong, the process or the broker is
        await self.fail(arrival, FailureReason.UNPUBLISHABLE, str(error), attempts=0, spent=_spent_on(outcome))

    async def fail(
        self, arrival: Arrival, reason: FailureReason, detail: str, *, attempts: int, spent: Usage = NOTHING
    ) -> None:
        """The conversation has no insight: dead letter, then AnalysisFailed, then it is done.

        A record has one dead letter, whose id is its place: when it fails under a second version too, the first
        failure's stands, and says under which version that was.
        """
        receipt = arrival.place.receipt
        if not receipt.is_buried:
            named = f"under {arrival.analysis_version}: {detail}" if len(receipt.accepted_under) > 1 else detail
            await self.bury(arrival.record, DeadLetterReason(reason.value), named)
            receipt.is_buried = True
        await self.deliver(arrival, failed(arrival, reason, detail, attempts, self._now(), spent=spent))

    async def bury_undecodable(
        self, record: RawRecord, place: RecordPlace, reason: DeadLetterReason, detail: str
    ) -> None:
        """Put a record aside that says nothing about any conversation; it is done then."""
        await self.bury(record, reason, detail)
        self._ledger.done(place)

    async def bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        """Return once the dead letter is durable."""
        await _until_durable(lambda: self._dead_letters.bury(record, reason, detail))

    async def announce(self, topic: Topic, key: str, event: Event) -> None:
        """Publish an event that nothing waits for: best effort."""
        value, headers = encode(event, new_envelope(SOURCE, self._now()))
        try:
            await self._publisher.enqueue(topic, key.encode(), value, headers)
        except (KafkaUnavailable, RecordRefused) as error:
            _log.warning("announcement_not_sent", topic=topic.name, reason=str(error))

    async def declare(self, topic: Topic, key: str, event: Event) -> None:
        """Publish an event that the fleet must learn of: return once it is durable."""
        envelope = new_envelope(SOURCE, self._now())
        await _until_durable(lambda: self._publisher.publish(topic, key, event, envelope))


def _spent_on(outcome: Outcome) -> Usage:
    if not isinstance(outcome, InsightProduced):
        return NOTHING
    return Usage(outcome.input_tokens, 0, outcome.output_tokens, outcome.cost_usd)


async def _has_landed(sending: Sending) -> bool:
    """Whether it is durable; being cancelled leaves it in its place."""
    try:
        await asyncio.shield(sending.resolved)
    except (KafkaUnavailable, RecordRefused) as error:
        _log.warning("publish_repeated", reason=str(error))
        return False
    return True


async def _until_durable(send: Callable[[], Awaitable[object]]) -> None:
    """Send, again and again while Kafka is away. Raises RecordRefused."""
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            await send()
        except KafkaUnavailable as error:
            _log.warning("publish_repeated", reason=str(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
        else:
            return


_KINDS: Final = {InsightProduced: "insight", ConversationSkipped: "skipped", AnalysisFailed: "failed"}


_COUNTERS: Final = {
    (kind, lane): OUTCOMES.labels(word, lane.value)
    for kind, word in _KINDS.items()
    for lane in (Lane.LIVE, Lane.REPLAY)
}


def _count(outcome: Outcome) -> None:
    _COUNTERS[type(outcome), outcome.lane].inc()
    if isinstance(outcome, ConversationSkipped):
        SKIPPED.labels(outcome.reason.value).inc()
    elif isinstance(outcome, AnalysisFailed):
        FAILED.labels(outcome.reason.value).inc()
