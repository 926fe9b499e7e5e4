"""Asking the sink what is known already: findings by content and version, and how far outcomes are stored."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from schemas.event import AnalysisVersion, ContentHash, Text
from schemas.insight_produced import MAX_CLUSTERS, MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS, Path, Slug
from services.analyzer.batching import ContentKey
from services.analyzer.engine import Finding
from services.analyzer.http_client import HttpClient

PAIRS_AT_ONCE: Final = 500
"""The sink takes 1,000."""
_PATH: Final = "internal/v1/insights/lookup"
_KEY_REFUSED: Final = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


class LookupFailed(Exception):  # noqa: N818 - named for the state, as callers read it
    """The sink did not answer; the message says why, for an operator."""


class _Result(BaseModel):
    content_hash: ContentHash
    analysis_version: AnalysisVersion
    sentiment_score: Annotated[float, Field(ge=-1, le=1)]
    clusters: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=MAX_CLUSTERS)]
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasoning: Annotated[Text, Field(max_length=MAX_REASONING_CHARACTERS)]
    evidence: Annotated[Text, Field(max_length=400)]
    summary: Annotated[Text, Field(max_length=MAX_SUMMARY_CHARACTERS)]
    model: Annotated[str, Field(max_length=128)]


class _Answer(BaseModel):
    results: list[_Result]
    stored_offsets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What the sink answered."""

    findings: Mapping[ContentKey, Finding]
    stored_offsets: Mapping[int, int]
    """The next offset to be stored of each partition of the topic of outcomes."""


class SinkLookup:
    """The sink's look-up; get one from `open_lookup`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def look_up(self, keys: Sequence[ContentKey]) -> Known:
        """Ask for these contents; none asks for the stored offsets alone. Raises LookupFailed."""
        pairs = [{"content_hash": content, "analysis_version": version} for content, version in keys]
        try:
            response = await self._http.post(_PATH, json={"pairs": pairs})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LookupFailed(f"the sink's look-up cannot be reached: {type(error).__name__}") from error
        if response.status_code in _KEY_REFUSED:
            raise LookupFailed(
                f"the sink refuses the look-up (HTTP {response.status_code}): "
                "ANALYZER_LOOKUP_API_KEY has to be a key with the scope operate"
            )
        if response.status_code != httpx.codes.OK:
            raise LookupFailed(f"the sink's look-up answered HTTP {response.status_code}")
        try:
            answer = _Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise LookupFailed("the sink's look-up gave an answer that cannot be read") from error
        return Known({_key(result): _finding(result) for result in answer.results}, answer.stored_offsets)


def _key(result: _Result) -> ContentKey:
    return (result.content_hash, result.analysis_version)


def _finding(result: _Result) -> Finding:
    return Finding(
        sentiment_score=result.sentiment_score,
        clusters=result.clusters,
        confidence=result.confidence,
        reasoning=result.reasoning,
        evidence=result.evidence,
        summary=result.summary,
        path=Path.CACHE,
        model=result.model,
    )


@asynccontextmanager
async def open_lookup(url: str, api_key: SecretStr | None, timeout_seconds: float) -> AsyncIterator[SinkLookup]:
    """A client of the sink at this address, with connections of its own."""
    key = api_key.get_secret_value() if api_key is not None else ""
    async with HttpClient(
        base_url=url.rstrip("/") + "/",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=timeout_seconds,
        trust_env=False,  # the sink is one of ours: a proxy of the environment is not asked
    ) as http:
        yield SinkLookup(http)
