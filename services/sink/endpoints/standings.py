"""For a replay: which revision of a conversation is the newest, and whether it was erased. Nothing of its words.

And which analysis versions are retired: what is analysed under one of those would be paid for and left out.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from schemas.event import ConversationId, Revision
from services.runtime.api_keys import require_scope
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer
from services.sink.endpoints.context import ReadContext
from services.sink.sql import standings as sql

_MAX_CONVERSATIONS = 1_000


class StandingsRequest(BaseModel):
    """Conversations that somebody is about to send again."""

    model_config = ConfigDict(extra="forbid")

    conversation_ids: Annotated[list[ConversationId], Field(max_length=_MAX_CONVERSATIONS)]


def standings_router(context: ReadContext) -> APIRouter:
    """/internal/v1/conversations/standings."""
    router = APIRouter(prefix="/internal/v1", tags=["internal"], dependencies=[Depends(require_scope("operate"))])

    @router.post(
        "/conversations/standings",
        summary="Newest revisions, erasures, and versions under which nothing is kept",
        responses=documented.errors(is_limited=False),
    )
    async def ask_standings(asked: StandingsRequest) -> Response:
        async with context.database.snapshot() as connection:
            rows = await connection.fetch(sql.STANDINGS, asked.conversation_ids)
            retired = await connection.fetch(sql.RETIRED_VERSIONS)
        return json_answer(
            {"conversations": [_members(row) for row in rows], "retired_versions": [row["name"] for row in retired]}
        )

    return router


def _members(row: Any) -> dict[str, str | None]:
    return {
        "conversation_id": row["conversation_id"],
        "newest": _text(row["newest_ms"], row["newest_offset"]),
        "erased_up_to": _text(row["erased_ms"], row["erased_offset"]),
    }


def _text(milliseconds: int | None, offset: int | None) -> str | None:
    """An erasure's offset may be the largest there is, which no record has: the contract's revisions stop below it."""
    if milliseconds is None or offset is None:
        return None
    return str(Revision(milliseconds, min(offset, 10**18 - 1)))
