"""The look-up for analyzers: what is known already, so that it is never paid for twice."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from schemas.event import AnalysisVersion, ContentHash
from schemas.topics import ANALYZED
from services.runtime.api_keys import require_scope
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer
from services.sink.endpoints.context import ReadContext
from services.sink.reads.lookup import read_known_results, read_stored_offsets
from services.sink.versions import read_versions

_MAX_PAIRS = 1_000


class Pair(BaseModel):
    """Words by their hash, and the version to analyse them under."""

    model_config = ConfigDict(extra="forbid")

    content_hash: ContentHash
    analysis_version: AnalysisVersion


class LookupRequest(BaseModel):
    """What an analyzer is about to analyse; no pairs asks for the stored offsets only."""

    model_config = ConfigDict(extra="forbid")

    pairs: Annotated[list[Pair], Field(max_length=_MAX_PAIRS)] = []


def lookup_router(context: ReadContext) -> APIRouter:
    """/internal/v1/insights/lookup."""
    router = APIRouter(prefix="/internal/v1", tags=["internal"], dependencies=[Depends(require_scope("operate"))])

    @router.post(
        "/insights/lookup", summary="Known results, and stored offsets", responses=documented.errors(is_limited=False)
    )
    async def look_up(asked: LookupRequest) -> Response:
        pairs = [(pair.content_hash, pair.analysis_version) for pair in asked.pairs]
        async with context.database.snapshot() as connection:
            offsets = await read_stored_offsets(connection, context.lag.group, context.lag.name_of(ANALYZED))
            results = await read_known_results(connection, pairs, await read_versions(connection))
        members: dict[str, Any] = {"results": results, "stored_offsets": offsets}
        return json_answer(members)

    return router
