"""Rows turned into columns: the arrays that the statements in sql/ unnest."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from schemas.analysis_started import AnalysisStarted
from schemas.insight_produced import InsightProduced
from services.sink.merge import Posting, Standing
from services.sink.rows import DeadLetterRow, OutcomeRow

VersionIds = Mapping[str, int]
Columns = Sequence[Sequence[Any]]
_NOWHERE = (None, None)


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> Columns:
    columns = list(zip(*rows, strict=True))
    return columns or [()] * width


def insight_columns(
    insights: Iterable[InsightProduced], versions: VersionIds, places: Mapping[UUID, tuple[int, int]]
) -> Columns:
    """The arguments of `outcomes.INSIGHTS`. Lists are joined by commas, which slugs do not hold.

    `places`: partition and offset in conversations.analyzed.v1, where they are known.
    """
    return _columns(
        (
            (
                one.insight_id,
                one.conversation_id,
                versions[one.analysis_version],
                bytes.fromhex(one.content_hash),
                one.revision.timestamp_ms,
                one.revision.offset,
                one.lane,
                one.occurred_at,
                one.channel or None,
                one.sentiment_score,
                one.sentiment,
                one.confidence,
                ",".join(one.clusters),
                ",".join(dict.fromkeys(one.topics)),  # each subject counts a conversation once
                one.reasoning,
                one.evidence,
                one.summary,
                one.path,
                one.model,
                one.batch_id,
                one.input_tokens,
                one.output_tokens,
                one.cost_usd,
                one.started_at,
                one.analyzed_at,
                one.completion,
                *places.get(one.insight_id, _NOWHERE),
            )
            for one in insights
        ),
        28,
    )


def is_paid(outcome: InsightProduced | OutcomeRow) -> bool:
    """Whether its answer took anything: what was known already, or judged offline, took nothing."""
    return outcome.cost_usd > 0 or outcome.input_tokens > 0 or outcome.output_tokens > 0


def usage_columns(insights: Iterable[InsightProduced], versions: VersionIds) -> Columns:
    """The arguments of `outcomes.SPENT_IN_VAIN`."""
    return _columns(
        (
            (
                one.insight_id,
                one.batch_id,
                versions[one.analysis_version],
                one.analyzed_at,
                one.input_tokens,
                one.output_tokens,
                one.cost_usd,
            )
            for one in insights
        ),
        7,
    )


def failure_usage_columns(failures: Iterable[OutcomeRow], versions: VersionIds) -> Columns:
    """The arguments of `outcomes.SPENT_ON_FAILURES`."""
    return _columns(
        (
            (
                one.conversation_id,
                versions[one.version],
                one.revision.timestamp_ms,
                one.revision.offset,
                one.finished_at,
                one.input_tokens,
                one.output_tokens,
                one.cost_usd,
            )
            for one in failures
        ),
        8,
    )


def outcome_columns(standings: Iterable[Standing], versions: VersionIds) -> Columns:
    """The arguments of `outcomes.OUTCOMES`."""
    return _columns((_outcome_values(one, versions) for one in standings), 15)


def _outcome_values(standing: Standing, versions: VersionIds) -> tuple[Any, ...]:
    newest, shown = standing.newest, standing.shown
    return (
        newest.conversation_id,
        versions[newest.version],
        newest.revision.timestamp_ms,
        newest.revision.offset,
        newest.kind,
        newest.reason,
        newest.detail,
        newest.attempts,
        newest.finished_at,
        shown.revision.timestamp_ms if shown else None,
        shown.revision.offset if shown else None,
        shown.kind if shown else None,
        shown.insight_id if shown else None,
        shown.occurred_at if shown else None,
        shown.channel if shown else None,
    )


def conversation_columns(postings: Iterable[Posting]) -> Columns:
    """The first thirteen arguments of `conversations.CONVERSATIONS`."""
    return _columns(
        (
            (
                one.row.conversation_id,
                one.row.revision.timestamp_ms,
                one.row.revision.offset,
                one.row.partition,
                one.row.content_hash,
                one.row.received_at,
                one.row.occurred_at,
                one.row.channel,
                one.row.language,
                one.row.opening,
                one.row.turns,
                one.row.metadata,
                one.row.raw,
            )
            for one in postings
        ),
        13,
    )


def started_columns(started: Iterable[AnalysisStarted]) -> Columns:
    """The arguments of `conversations.STARTED`."""
    members = (member for event in started for member in event.conversations)
    return _columns(
        ((one.conversation_id, one.revision.timestamp_ms, one.revision.offset) for one in members),
        3,
    )


def call_columns(started: Iterable[AnalysisStarted], versions: VersionIds) -> Columns:
    """The arguments of `outcomes.CALLS`: the UTC day and the version of each call."""
    return _columns(
        ((one.started_at.astimezone(UTC).date(), versions[one.analysis_version]) for one in started),
        2,
    )


def dead_letter_values(row: DeadLetterRow) -> tuple[Any, ...]:
    """The arguments of `dead_letters.KEEP`."""
    letter, revision = row.letter, row.revision
    return (
        letter.id,
        letter.failed_at,
        letter.origin.offset,
        letter.origin.timestamp_ms,
        letter.origin.partition,
        letter.original_size,
        letter.is_truncated,
        letter.origin.topic,
        letter.reason.value,
        letter.detail,
        letter.service,
        letter.sha256,
        row.conversation_id,
        list(letter.ancestors),
        row.key,
        row.value,
        [name for name, _ in row.headers],
        [content for _, content in row.headers],
        row.names,
        *(revision or (None, None)),
    )
