"""What every outcome of an analysis states: which revision of which conversation, and how it was reached."""

from schemas.event import AnalysisVersion, ContentHash, ConversationId, Event, Lane, Revision, UtcTime


class Outcome(Event):
    """The end of the analysis of one revision under one analysis version."""

    conversation_id: ConversationId
    revision: Revision
    content_hash: ContentHash
    analysis_version: AnalysisVersion
    lane: Lane = Lane.LIVE
    occurred_at: UtcTime
    """When the conversation happened (not when it was analysed)."""
    channel: str | None = None
