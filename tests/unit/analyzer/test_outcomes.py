"""From findings to events."""

from dataclasses import replace
from uuid import UUID

import pytest

from schemas.analysis_failed import FailureReason
from schemas.conversation_skipped import SkipReason
from schemas.event import Lane, Revision
from schemas.insight_produced import Path, Sentiment
from services.analyzer.acknowledgements import Place
from services.analyzer.arrivals import Arrival
from services.analyzer.engine import Finding
from services.analyzer.ledger import Receipt
from services.analyzer.outcomes import SOURCE, envelope_of, failed, insight_of, skipped
from tests.builders import NOW, a_conversation, a_record, an_envelope

FINDING = Finding(
    sentiment_score=-0.7,
    clusters=("late_delivery", "something_new"),
    confidence=0.9,
    reasoning="because",
    evidence="still not arrived",
    summary="Late.",
    path=Path.LLM,
    model="grok",
    input_tokens=100,
    output_tokens=20,
    cost_usd=0.01,
    completion="{}",
)
BATCH = UUID(int=7)


def _arrival() -> Arrival:
    conversation = a_conversation()
    place = Place(0, 0, 0, Receipt(Lane.LIVE, 0, lambda: None))
    return Arrival(Lane.LIVE, a_record(conversation), place, conversation, an_envelope(), Revision(5, 6), "grok-p1")


def test_an_insight_states_what_was_found_of_which_revision() -> None:
    insight = insight_of(_arrival(), FINDING, batch_id=BATCH, started_at=NOW, now=NOW)
    assert (insight.revision, insight.sentiment, insight.path) == (Revision(5, 6), Sentiment.NEGATIVE, Path.LLM)
    assert insight.clusters == ("late_delivery", "something_new")
    assert len(insight.topics) == 2
    assert insight.topics[1] == "other"
    assert (insight.input_tokens, insight.cost_usd, insight.completion) == (100, 0.01, "{}")


def test_a_repeated_finding_costs_nothing_and_says_where_it_came_from() -> None:
    first = insight_of(_arrival(), FINDING, batch_id=BATCH, started_at=NOW, now=NOW)
    again = insight_of(_arrival(), FINDING, batch_id=BATCH, started_at=NOW, now=NOW, is_repeated=True)
    assert again.path is Path.CACHE
    assert (again.input_tokens, again.output_tokens, again.cost_usd, again.completion) == (0, 0, 0.0, None)
    assert again.insight_id == first.insight_id


def test_a_skip_and_a_failure_name_their_reason_and_no_text() -> None:
    skip = skipped(_arrival(), SkipReason.SUPERSEDED, 1, NOW)
    assert (skip.reason, skip.rule_version, skip.lane) == (SkipReason.SUPERSEDED, 1, Lane.LIVE)
    failure = failed(_arrival(), FailureReason.LLM_ERROR, "x" * 900, 5, NOW)
    assert (len(failure.detail), failure.attempts) == (500, 5)


def test_an_outcome_goes_on_with_the_trace_of_its_record() -> None:
    received = replace(an_envelope(), replay_id="replay-1")
    envelope = envelope_of(received, NOW)
    assert envelope.traceparent.split("-")[1] == received.traceparent.split("-")[1]
    assert envelope.traceparent.split("-")[2] != received.traceparent.split("-")[2]
    assert (envelope.source, envelope.correlation_id, envelope.replay_id) == (
        SOURCE,
        received.correlation_id,
        "replay-1",
    )
    assert envelope.id != received.id


@pytest.mark.parametrize("nonsense", ["", "00-short-1234-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01", "garbage"])
def test_a_record_without_a_usable_trace_starts_one(nonsense: str) -> None:
    envelope = envelope_of(replace(an_envelope(), traceparent=nonsense), NOW)
    assert len(envelope.traceparent) == 55
