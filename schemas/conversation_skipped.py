"""ConversationSkipped: a revision needs no analysis; the rule says why."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.event import OpenEnum, UtcTime
from schemas.outcome import Outcome


class SkipReason(OpenEnum):
    """The named rules by which a conversation is skipped."""

    TOO_SHORT = "too_short"
    ONLY_LINKS = "only_links"
    BOILERPLATE = "boilerplate"
    SUPERSEDED = "superseded"
    """A newer revision of the same conversation was waiting: only that one is analysed."""
    UNKNOWN = "unknown"


class ConversationSkipped(Outcome):
    """No engine was asked about this revision."""

    type: ClassVar[str] = "undertone.conversation.skipped.v1"

    reason: SkipReason
    rule_version: Annotated[int, Field(ge=1)] = 1
    skipped_at: UtcTime
