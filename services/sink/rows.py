"""Events to rows: what the tables hold of a conversation, an outcome, a started batch and a dead letter."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json

from schemas.analysis_failed import AnalysisFailed
from schemas.codec import RawRecord
from schemas.conversation_received import ConversationReceived, Role, Turn
from schemas.conversation_skipped import ConversationSkipped
from schemas.dead_letter import DeadLetter, is_dead_letter_header
from schemas.event import ID_PATTERN, Lane, Revision
from schemas.insight_produced import InsightProduced
from schemas.outcome import Outcome
from schemas.topics import RECEIVED

SCORE_UNIT = 10_000
"""Scores are summed as integers of 1/10,000: floats that are taken back do not add up."""

_turns = TypeAdapter(tuple[Turn, ...])
_conversation_id = re.compile(ID_PATTERN)
_NAMED = re.compile(rb'"conversation_id"\s*:\s*"([A-Za-z0-9._:-]{1,128})"')
REVISION_HEADER = "undertone_revision"


class ConversationRow(NamedTuple):
    """One posting of a conversation. A tuple, as rows are: a frozen dataclass takes three times as long to make."""

    conversation_id: str
    revision: Revision
    partition: int
    content_hash: bytes
    received_at: datetime
    occurred_at: datetime
    channel: str | None
    language: str | None
    opening: str | None
    turns: str
    metadata: str | None
    raw: str | None


class OutcomeRow(NamedTuple):
    """The end of an analysis. `kind` is a conversation_status: failed, skipped or completed."""

    conversation_id: str
    version: str
    revision: Revision
    kind: str
    finished_at: datetime
    occurred_at: datetime
    channel: str | None
    insight_id: UUID | None = None
    reason: str | None = None
    detail: str | None = None
    attempts: int = 0
    is_live: bool = True
    input_tokens: int = 0
    """Of a failure: what was spent on it. An insight keeps that itself."""
    output_tokens: int = 0
    cost_usd: float = 0.0


KIND_RANKS = {"failed": 1, "skipped": 2, "completed": 3}
"""Of two outcomes of one revision the greater stands; the same order as the type conversation_status."""


def conversation_row(event: ConversationReceived, record: RawRecord, revision: Revision) -> ConversationRow:
    """The row of an accepted conversation at a revision, as `schemas.revisions` reads it off the record."""
    return ConversationRow(
        conversation_id=event.conversation_id,
        revision=revision,
        partition=record.partition,
        content_hash=bytes.fromhex(event.content_hash),
        received_at=event.received_at,
        occurred_at=event.occurred_at,
        channel=event.channel,
        language=event.language,
        opening=opening_of(event.turns),
        turns=_turns.dump_json(event.turns, exclude_none=True).decode(),
        metadata=None if event.metadata is None else to_json(event.metadata).decode(),
        raw=None if event.raw is None else to_json(event.raw).decode(),
    )


def opening_of(turns: Iterable[Turn]) -> str | None:
    """What the customer said first."""
    return next((turn.text for turn in turns if turn.role is Role.CUSTOMER), None)


def outcome_row(event: Outcome) -> OutcomeRow:
    """The row of an insight, a skip or a failure."""
    match event:
        case InsightProduced():
            return _ended(event, "completed", event.analyzed_at, event.insight_id)
        case ConversationSkipped():
            row = _ended(event, "skipped", event.skipped_at)
            return row._replace(reason=event.reason.value, detail=f"rule version {event.rule_version}")
        case AnalysisFailed():
            row = _ended(event, "failed", event.failed_at)
            return row._replace(
                reason=event.reason.value,
                detail=event.detail,
                attempts=event.attempts,
                input_tokens=event.input_tokens,
                output_tokens=event.output_tokens,
                cost_usd=event.cost_usd,
            )
    raise TypeError(f"{type(event).__name__} is no outcome")


def _ended(event: Outcome, kind: str, finished_at: datetime, insight_id: UUID | None = None) -> OutcomeRow:
    return OutcomeRow(
        event.conversation_id,
        event.analysis_version,
        event.revision,
        kind,
        finished_at,
        event.occurred_at,
        event.channel or None,
        insight_id,
        is_live=event.lane is Lane.LIVE,
    )


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter with the original bytes and headers; `conversation_id` where the key is one."""

    letter: DeadLetter
    conversation_id: str | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def names(self) -> list[str]:
        """Every conversation that it may hold words of: by its key, or because its value names one."""
        stated = {content.decode() for content in _NAMED.findall(self.value or b"")}
        return sorted(stated | ({self.conversation_id} if self.conversation_id else set()))

    @property
    def revision(self) -> Revision | None:
        """The posting that its words are of; None when that cannot be told."""
        texts = dict(self.headers)
        try:
            if REVISION_HEADER in texts:  # a copy: replayed or sent again
                return Revision.parse(texts[REVISION_HEADER].decode())
            if self.letter.origin.topic == RECEIVED.name:
                return Revision(self.letter.origin.timestamp_ms, self.letter.origin.offset)
            timestamp_ms, offset = json.loads(self.value or b"")["revision"]
            return Revision.parse(f"{timestamp_ms}-{offset}")
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def dead_letter_row(letter: DeadLetter, record: RawRecord) -> DeadLetterRow:
    """The row of a record of the dead-letter topic."""
    key = (record.key or b"").decode("ascii", "replace")
    return DeadLetterRow(
        letter=letter,
        conversation_id=key if _conversation_id.match(key) else None,
        key=record.key,
        value=record.value,
        headers=tuple(
            (name.replace("\x00", "\ufffd"), content or b"")
            for name, content in record.headers
            if not is_dead_letter_header(name)
        ),
    )
