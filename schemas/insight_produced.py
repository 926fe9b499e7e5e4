"""InsightProduced: the validated result of analysing one revision of a conversation."""

import uuid
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field, model_validator

from schemas.event import OpenEnum, Text, UtcTime
from schemas.outcome import Outcome

INSIGHT_NAMESPACE = UUID("714ef1d0-edd7-53c5-801e-6c581a0b5016")
"""The UUIDv5 namespace of insight ids. It never changes: ids are promised to be the same for ever."""

POSITIVE_ABOVE = 0.2
NEGATIVE_BELOW = -0.2
MAX_CLUSTERS = 5
MAX_REASONING_CHARACTERS = 500
MAX_SUMMARY_CHARACTERS = 280

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=64)]


class Sentiment(OpenEnum):
    """How the customer feels, in three classes."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"
    UNKNOWN = "unknown"


class Path(OpenEnum):
    """Where the result came from."""

    LLM = "llm"
    CACHE = "cache"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


def sentiment_of(score: float) -> Sentiment:
    """The class of a score in [-1, 1]; this is the one place where the thresholds stand."""
    if score > POSITIVE_ABOVE:
        return Sentiment.POSITIVE
    if score < NEGATIVE_BELOW:
        return Sentiment.NEGATIVE
    return Sentiment.NEUTRAL


def insight_id_of(conversation_id: str, content_hash: str, analysis_version: str) -> UUID:
    """UUIDv5 of the three, joined by newlines: redelivery and replay of the same work give the same id."""
    return uuid.uuid5(INSIGHT_NAMESPACE, f"{conversation_id}\n{content_hash}\n{analysis_version}")


class InsightProduced(Outcome):
    """How the customer feels, what it is about, how sure we are, and why."""

    type: ClassVar[str] = "undertone.insight.produced.v1"

    insight_id: UUID
    sentiment_score: Annotated[float, Field(ge=-1, le=1)]
    sentiment: Sentiment
    """Derived from the score; what a writer states here is overridden."""
    clusters: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=MAX_CLUSTERS)]
    """What it is about, as the model named it."""
    topics: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=MAX_CLUSTERS)]
    """The same, mapped to the registry of subjects; what is unknown maps to `other`."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasoning: Annotated[Text, Field(max_length=MAX_REASONING_CHARACTERS)]
    evidence: Annotated[Text, Field(max_length=400)]
    """3 to 12 words that occur in this conversation."""
    summary: Annotated[Text, Field(max_length=MAX_SUMMARY_CHARACTERS)]
    path: Path
    model: Annotated[str, Field(max_length=128)]
    batch_id: UUID
    input_tokens: Annotated[int, Field(ge=0)] = 0
    """This conversation's share of the call's tokens, and of calls before it of which nothing could be believed."""
    output_tokens: Annotated[int, Field(ge=0)] = 0
    cost_usd: Annotated[float, Field(ge=0)] = 0.0
    """What these cost in US dollars."""
    completion: Annotated[Text, Field(max_length=16_384)] | None = None
    """Its part of the raw text that the LLM returned."""
    started_at: UtcTime
    analyzed_at: UtcTime

    @model_validator(mode="before")
    @classmethod
    def _derive_sentiment(cls, members: Any) -> Any:
        if isinstance(members, dict) and isinstance(members.get("sentiment_score"), int | float):
            return {**members, "sentiment": sentiment_of(members["sentiment_score"])}
        return members
