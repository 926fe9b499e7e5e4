"""Records as the sink gets them: conversations of five turns, each with its insight, as Kafka would deliver them."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.codec import RawRecord, encode
from schemas.conversation_received import ConversationReceived, Role, Turn, content_hash_of
from schemas.envelope import new_envelope
from schemas.event import Revision
from schemas.insight_produced import InsightProduced, Path, Sentiment, insight_id_of
from schemas.topics import ANALYZED, RECEIVED
from services.sink.batch import Place
from services.sink.decoding import PlacedRecord

RECORD_TOPICS = (Place(RECEIVED.name, 0), Place(ANALYZED.name, 0))
TURNS = 5
SUBJECTS = ("delivery", "refund", "billing", "account", "cancellation", "baggage", "booking", "other")
SENTENCE = "I have been waiting for an answer since last week and nobody tells me where number {} is. "


@dataclass(frozen=True)
class Load:
    """One round's records, in the order of their offsets, received ones first."""

    received: list[RawRecord]
    analyzed: list[RawRecord]


_SCATTERED = 1_999_993
"""A prime: the numbers that are said fall anywhere among those of benchmarks.fill, as references do in life."""


def conversation(name: str, number: int, now: datetime) -> ConversationReceived:
    """One of five turns, each of which says a number."""
    said = number * 7_919 % _SCATTERED
    turns = tuple(
        Turn(role=Role.AGENT if turn % 2 else Role.CUSTOMER, text=SENTENCE.format(said * TURNS + turn))
        for turn in range(TURNS)
    )
    return ConversationReceived(
        conversation_id=name,
        received_at=now,
        occurred_at=now - timedelta(seconds=number % 3600),
        turns=turns,
        channel="chat",
        content_hash=content_hash_of(turns),
    )


def insight(said: ConversationReceived, revision: Revision, number: int) -> InsightProduced:
    subject = SUBJECTS[number % len(SUBJECTS)]
    return InsightProduced(
        conversation_id=said.conversation_id,
        revision=revision,
        content_hash=said.content_hash,
        analysis_version="offline-2",
        occurred_at=said.occurred_at,
        channel=said.channel,
        insight_id=insight_id_of(said.conversation_id, said.content_hash, "offline-2"),
        sentiment_score=(number * 7919 % 2001 - 1000) / 1000,
        sentiment=Sentiment.UNKNOWN,
        clusters=(subject,),
        topics=(subject,),
        confidence=0.8,
        reasoning="The customer waits for an answer: “since last week and nobody tells me”.",
        evidence="since last week and nobody tells me",
        summary="The customer has waited for an answer since last week.",
        path=Path.OFFLINE,
        model="offline-2",
        batch_id=uuid.uuid4(),
        started_at=said.received_at,
        analyzed_at=said.received_at,
    )


def new_load(count: int, first_offsets: Sequence[int], first_number: int = 0) -> Load:
    """Fresh conversations; their ids are ordered by time, as those of the ingress are.

    What is said in a conversation hangs on its number: those of other numbers have words and contents of their own.
    """
    now = datetime.now(UTC)
    timestamp_ms = int(now.timestamp() * 1000)
    tag = uuid.uuid4().hex[:8]
    load = Load([], [])
    for place, number in enumerate(range(first_number, first_number + count)):
        said = conversation(f"conv_{timestamp_ms:012x}{place:06}{tag}", number, now)
        offset = first_offsets[0] + place
        found = insight(said, Revision(timestamp_ms, offset), number)
        for topic, records, event, at in (
            (RECEIVED, load.received, said, offset),
            (ANALYZED, load.analyzed, found, first_offsets[1] + place),
        ):
            value, headers = encode(event, new_envelope("/undertone/benchmark", now))
            key = said.conversation_id.encode()
            records.append(RawRecord(topic.name, 0, at, timestamp_ms, key, value, headers))
    return load


def batches_of(load: Load, size: int) -> Iterator[list[PlacedRecord]]:
    """As a sink gets them that is behind: as many postings as outcomes in each batch."""
    half = size // 2
    for low in range(0, len(load.received), half):
        received = load.received[low : low + half]
        analyzed = load.analyzed[low : low + half]
        yield [PlacedRecord(Place(one.topic, 0), one) for one in (*received, *analyzed)]
