"""From findings, skips and failures to the events that say so. Pure."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import encode_value
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.envelope import Envelope, new_traceparent, to_headers
from schemas.insight_produced import InsightProduced, Path, insight_id_of, sentiment_of
from schemas.outcome import Outcome
from schemas.subjects import subject_registry
from services.analyzer.arrivals import Arrival
from services.analyzer.engine import NOTHING, Finding, Usage
from services.analyzer.shares import added
from services.runtime.event_headers import event_headers
from services.runtime.random_ids import random_ids
from services.runtime.record_batches import Record, encoded_headers

SOURCE = "/undertone/analyzer"


def insight_of(
    arrival: Arrival,
    finding: Finding,
    *,
    batch_id: UUID,
    started_at: datetime,
    now: datetime,
    spent: Usage = NOTHING,
    is_repeated: bool = False,
) -> InsightProduced:
    """The insight for one arrival. A repeated finding (the call was another's) has cost this one nothing.

    `spent`: on earlier calls, of which nothing came.
    """
    conversation = arrival.conversation
    used = NOTHING if is_repeated else added(finding.usage, spent)
    return InsightProduced(
        **_common(arrival),
        insight_id=insight_id_of(conversation.conversation_id, conversation.content_hash, arrival.analysis_version),
        sentiment_score=finding.sentiment_score,
        sentiment=sentiment_of(finding.sentiment_score),
        clusters=finding.clusters,
        topics=_topics_of(finding.clusters),
        confidence=finding.confidence,
        reasoning=finding.reasoning,
        evidence=finding.evidence,
        summary=finding.summary,
        path=Path.CACHE if is_repeated else finding.path,
        model=finding.model,
        batch_id=batch_id,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_usd=used.cost_usd,
        completion=None if is_repeated else finding.completion,
        started_at=started_at,
        analyzed_at=now,
    )


@lru_cache(maxsize=4096)
def _topics_of(clusters: tuple[str, ...]) -> tuple[str, ...]:
    return subject_registry().topics_of(clusters)


def skipped(arrival: Arrival, reason: SkipReason, rule_version: int, now: datetime) -> ConversationSkipped:
    """The conversation needs no analysis."""
    return ConversationSkipped(**_common(arrival), reason=reason, rule_version=rule_version, skipped_at=now)


def failed(
    arrival: Arrival, reason: FailureReason, detail: str, attempts: int, now: datetime, *, spent: Usage = NOTHING
) -> AnalysisFailed:
    """The conversation could not be analysed, and what was spent on it; `detail` holds none of its text."""
    return AnalysisFailed(
        **_common(arrival),
        reason=reason,
        detail=detail[:500],
        attempts=attempts,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost_usd=spent.cost_usd,
        failed_at=now,
    )


def _common(arrival: Arrival) -> dict[str, Any]:
    conversation = arrival.conversation
    return {
        "conversation_id": conversation.conversation_id,
        "revision": arrival.revision,
        "content_hash": conversation.content_hash,
        "analysis_version": arrival.analysis_version,
        "lane": arrival.lane,
        "occurred_at": conversation.occurred_at,
        "channel": conversation.channel,
    }


def record_of(arrival: Arrival, outcome: Outcome, now: datetime) -> Record:
    """The record that carries an outcome, for senders of many: as `codec.encode` would write it."""
    received = arrival.envelope
    if received.replay_id is None:
        headers = event_headers(outcome.type, SOURCE).filled(
            random_ids.hex(32).encode(),
            now.isoformat().encode(),
            _next_span(received.traceparent).encode(),
            received.correlation_id.encode(),
        )
    else:
        headers = encoded_headers(to_headers(envelope_of(received, now), outcome.type))
    return Record(arrival.conversation_id.encode(), encode_value(outcome), headers)


def envelope_of(received: Envelope, now: datetime) -> Envelope:
    """The envelope of an outcome: it continues the story and the trace of what was received."""
    return Envelope(
        id=random_ids.hex(32),
        source=SOURCE,
        time=now,
        correlation_id=received.correlation_id,
        traceparent=_next_span(received.traceparent),
        replay_id=received.replay_id,
    )


def _next_span(traceparent: str) -> str:
    version, _, rest = traceparent.partition("-")
    trace_id, _, tail = rest.partition("-")
    if version != "00" or len(trace_id) != 32 or len(tail) != 19:
        return new_traceparent()
    return f"00-{trace_id}-{random_ids.hex(16)}-{tail[-2:]}"
