"""AnalysisStarted: a batch was sent to an engine. Best effort: only the status `processing` hangs on it."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.event import AnalysisVersion, ConversationId, Event, Lane, Part, Revision, UtcTime


class StartedConversation(Part):
    """One member of the batch."""

    conversation_id: ConversationId
    revision: Revision


class AnalysisStarted(Event):
    """Which revisions one call analyses."""

    type: ClassVar[str] = "undertone.analysis.started.v1"

    batch_id: UUID
    analysis_version: AnalysisVersion
    lane: Lane = Lane.LIVE
    started_at: UtcTime
    conversations: Annotated[tuple[StartedConversation, ...], Field(min_length=1)]
