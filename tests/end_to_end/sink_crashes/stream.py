"""Postings and outcomes sent to a sink's topics, and what must be stored once all of them are.

Of ten conversations one fails before it succeeds, one is skipped, one is posted again with other words (and every
second time the older outcome comes last), the others have one insight. Outcomes that were sent are sent again from time
to time, as after a kill of the analyzer: they must change nothing.
"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.analysis_started import AnalysisStarted, StartedConversation
from schemas.codec import encode
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.event import Event, Revision
from schemas.insight_produced import InsightProduced, Path, Sentiment, insight_id_of
from schemas.outcome import Outcome
from schemas.topics import ANALYZED, RECEIVED, STARTED, Topic
from services.sink.rows import KIND_RANKS
from tests.builders import a_conversation, an_envelope

CHUNK = 200
"""Conversations that are posted together."""
VERSION = "crash-1"
SUBJECTS = ("delivery", "refund", "billing", "account", "other")
TOKENS = 7
_REMEMBERED = 1_000
_KIND_OF = {InsightProduced: "completed", ConversationSkipped: "skipped", AnalysisFailed: "failed"}

Row = tuple[Revision, str]
"""A revision and the kind of outcome, or the status."""


@dataclass
class Expected:
    """What must be stored of everything that was sent."""

    conversations: dict[str, Revision] = field(default_factory=dict)
    outcomes: dict[str, Row] = field(default_factory=dict)
    insights: set[UUID] = field(default_factory=set)
    calls: int = 0
    sent: int = 0
    """Outcomes, each counted once."""

    def note(self, event: Outcome) -> None:
        """An outcome will have been sent."""
        self.sent += 1
        arrived = (event.revision, _KIND_OF[type(event)])
        known = self.outcomes.get(event.conversation_id, (Revision(0, 0), "failed"))
        self.outcomes[event.conversation_id] = max(known, arrived, key=lambda one: (one[0], KIND_RANKS[one[1]]))
        if isinstance(event, InsightProduced):
            self.insights.add(event.insight_id)


class OutcomeStream:
    """Sends until `total` outcomes were sent; never more than `allowed()`, beyond that only repetitions."""

    def __init__(self, producer: AIOKafkaProducer, total: int, allowed: Callable[[], int]) -> None:
        self._producer = producer
        self._total = total
        self._allowed = allowed
        self._random = random.Random(20_261_121)
        self._number = 0
        self._recent: deque[Outcome] = deque(maxlen=_REMEMBERED)
        self.expected = Expected()
        self.repeated = 0

    async def run(self) -> None:
        """Send, in step with what is allowed."""
        while self.expected.sent < self._total:
            if self.expected.sent < self._allowed():
                await self._send_chunk()
            else:
                await self._repeat_some()

    async def _send_chunk(self) -> None:
        first = [self._conversation("first words") for _ in range(CHUNK)]
        again = [one for number, one in enumerate(first) if number % 10 == 2]
        posted = await self._post(first)
        reposted = await self._post([_reworded(one) for one in again])
        outcomes = [event for number, one in enumerate(posted) for event in _outcomes_of(number, *one)]
        late = [_insight(said, revision) for said, revision in reposted]
        ordered = [*outcomes, *late] if self._number // CHUNK % 2 else [*late, *outcomes]
        for event in ordered:
            self.expected.note(event)
        self._recent.extend(ordered)
        await self._send_all(ANALYZED, ordered)
        await self._start_call(posted[0][1], first[0].conversation_id)

    def _conversation(self, words: str) -> ConversationReceived:
        self._number += 1
        now = datetime.now(UTC)
        spread = timedelta(minutes=self._random.randrange(120))
        said = a_conversation(f"crash-{self._number:07}", f"{words} of {self._number}", received_at=now)
        return said.model_copy(update={"occurred_at": now - spread})

    async def _post(self, postings: Sequence[ConversationReceived]) -> list[tuple[ConversationReceived, Revision]]:
        revisions = await self._send_all(RECEIVED, postings)
        posted = list(zip(postings, revisions, strict=True))
        self.expected.conversations |= {said.conversation_id: revision for said, revision in posted}
        return posted

    async def _repeat_some(self) -> None:
        """What an analyzer sends that was killed before it acknowledged."""
        await self._send_all(ANALYZED, self._random.sample(list(self._recent), CHUNK // 4))
        self.repeated += CHUNK // 4
        await asyncio.sleep(0.02)  # the pace of repetitions: nothing hangs on it

    async def _start_call(self, revision: Revision, conversation_id: str) -> None:
        started = AnalysisStarted(
            batch_id=uuid.uuid4(),
            analysis_version=VERSION,
            started_at=datetime.now(UTC),
            conversations=(StartedConversation(conversation_id=conversation_id, revision=revision),),
        )
        self.expected.calls += 1
        await self._send_all(STARTED, [started])

    async def _send_all(self, topic: Topic, events: Sequence[Event]) -> list[Revision]:
        """Send and wait; gives where the broker put each."""
        sending = []
        for event in events:
            value, headers = encode(event, an_envelope())
            key = str(getattr(event, "conversation_id", uuid.uuid4())).encode()
            sending.append(await self._producer.send(topic.name, key=key, value=value, headers=headers))
        return [Revision(sent.timestamp, sent.offset) for sent in await asyncio.gather(*sending)]


def _reworded(said: ConversationReceived) -> ConversationReceived:
    other = a_conversation(said.conversation_id, f"other words than {said.turns[0].text}")
    return said.model_copy(update={"turns": other.turns, "content_hash": other.content_hash})


def _outcomes_of(number: int, said: ConversationReceived, revision: Revision) -> list[Outcome]:
    match number % 10:
        case 0:
            return [_failure(said, revision), _insight(said, revision)]
        case 1:
            return [_skip(said, revision)]
        case _:
            return [_insight(said, revision)]


def _named(said: ConversationReceived, revision: Revision) -> dict[str, Any]:
    """What every outcome says of its conversation."""
    return {
        "conversation_id": said.conversation_id,
        "revision": revision,
        "content_hash": said.content_hash,
        "analysis_version": VERSION,
        "occurred_at": said.occurred_at,
        "channel": said.channel,
    }


def _failure(said: ConversationReceived, revision: Revision) -> AnalysisFailed:
    return AnalysisFailed(
        **_named(said, revision),
        reason=FailureReason.LLM_ERROR,
        attempts=5,
        failed_at=said.received_at,
    )


def _skip(said: ConversationReceived, revision: Revision) -> ConversationSkipped:
    return ConversationSkipped(
        **_named(said, revision),
        reason=SkipReason.TOO_SHORT,
        skipped_at=said.received_at,
    )


def _insight(said: ConversationReceived, revision: Revision) -> InsightProduced:
    subject = SUBJECTS[revision.offset % len(SUBJECTS)]
    return InsightProduced(
        **_named(said, revision),
        insight_id=insight_id_of(said.conversation_id, said.content_hash, VERSION),
        sentiment_score=(revision.offset * 7919 % 2001 - 1000) / 1000,
        sentiment=Sentiment.UNKNOWN,
        clusters=(subject,),
        topics=(subject,),
        confidence=0.8,
        reasoning="It says so.",
        evidence="words of the customer",
        summary="Words of the customer.",
        path=Path.LLM,
        model=VERSION,
        batch_id=uuid.uuid4(),
        input_tokens=TOKENS,
        completion='{"sentiment": "as scored"}',
        started_at=said.received_at,
        analyzed_at=said.received_at,
    )
