"""AnalysisFailed: a revision could not be analysed, after all attempts; the dead-letter topic has the record."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.event import OpenEnum, UtcTime
from schemas.outcome import Outcome


class FailureReason(OpenEnum):
    """Why there is no insight."""

    LLM_ERROR = "llm_error"
    """Calls with this conversation alone failed as often as is allowed."""
    INVALID_RESULT = "invalid_result"
    """The model's results for it broke the contract each time."""
    CONTENT_REFUSED = "content_refused"
    """The model declined to judge it."""
    UNPUBLISHABLE = "unpublishable"
    """Kafka refused the outcome as too large or invalid."""
    UNKNOWN = "unknown"


class AnalysisFailed(Outcome):
    """No insight, and why. `detail` never holds conversation text."""

    type: ClassVar[str] = "undertone.analysis.failed.v1"

    reason: FailureReason
    detail: Annotated[str, Field(max_length=500)] = ""
    attempts: Annotated[int, Field(ge=0)] = 0
    input_tokens: Annotated[int, Field(ge=0)] = 0
    """Its share of the calls of which nothing could be believed; also of those before it, and of no other outcome's."""
    output_tokens: Annotated[int, Field(ge=0)] = 0
    cost_usd: Annotated[float, Field(ge=0)] = 0.0
    """In US dollars."""
    failed_at: UtcTime
