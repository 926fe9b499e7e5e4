"""Conversations: lists by status, one with everything about it, and its trail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from schemas.event import ID_PATTERN
from services.runtime.client_limits import admit_within_limits
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, not_found, tagged_answer
from services.sink.endpoints.context import ReadContext, page_of
from services.sink.endpoints.parameters import ConversationParameters, worded
from services.sink.reads.conversations import (
    ConversationFilters,
    conversation_cursor,
    listed_members,
    read_conversation,
    read_conversations,
    read_trail,
)
from services.sink.reads.members import time_text
from services.sink.versions import read_versions

_NOT_FOUND = "There is no conversation under this id (one accepted a moment ago may not be stored yet)."
_Id = Annotated[
    str,
    Path(pattern=ID_PATTERN, description="The conversation's id."),
    worded(ID_PATTERN, "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -"),
]


def conversations_router(context: ReadContext) -> APIRouter:
    """Routes under /api/v1/conversations."""
    router = APIRouter(
        prefix="/api/v1/conversations", tags=["conversations"], dependencies=[Depends(admit_within_limits("read"))]
    )

    @router.get("", summary="Conversations of a window", responses=documented.errors())
    async def list_conversations(asked: Annotated[ConversationParameters, Query()]) -> Response:
        question = {"list": "conversations", "status": asked.status, "channel": asked.channel}
        async with context.question() as connection:
            key = await context.cursor_key(connection)
            paging = page_of(asked, question, asked.cursor, context.now(), key)
            filters = ConversationFilters(asked.status, asked.channel)
            rows = await read_conversations(connection, filters, paging.window, asked.limit + 1, paging.after)
        window = {"start_time": time_text(paging.window.start), "end_time": time_text(paging.window.end)}
        metadata = {
            "returned_count": min(len(rows), asked.limit),
            **window,
            "time_window": window,
            "next_cursor": paging.next_cursor(rows, asked.limit, conversation_cursor),
        }
        return json_answer(
            {"conversations": [listed_members(row) for row in rows[: asked.limit]], "metadata": metadata}
        )

    @router.get("/{conversation_id}", summary="One conversation", responses=documented.errors(304, 404))
    async def get_conversation(request: Request, conversation_id: _Id) -> Response:
        async with context.question() as connection:
            members = await read_conversation(connection, conversation_id, await read_versions(connection))
        if members is None:
            raise not_found(_NOT_FOUND)
        return tagged_answer(request, members)

    @router.get("/{conversation_id}/trail", summary="Every step of a conversation", responses=documented.errors(404))
    async def get_trail(conversation_id: _Id) -> Response:
        async with context.question() as connection:
            steps = await read_trail(connection, conversation_id, await read_versions(connection))
        if steps is None:
            raise not_found(_NOT_FOUND)
        return json_answer({"conversation_id": conversation_id, "trail": steps})

    return router
