"""Dead letters: what failed alike, which letters those are, one with its bytes, and what was decided on them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from schemas.event import ID_PATTERN
from services.runtime.client_limits import admit_within_limits
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, not_found
from services.sink.endpoints.context import ReadContext, page_of
from services.sink.endpoints.parameters import CursorText, WindowParameters
from services.sink.reads.dead_letters import (
    letter_cursor,
    letter_members,
    read_actions,
    read_groups,
    read_letter,
    read_letters,
)
from services.sink.redriving.selection import Selection
from services.sink.windows import Window

PREFIX = "/api/v1/dead-letters"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_FOUND = "There is no dead letter under this id."

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
"""A topic, a reason or a service."""
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class StateName(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


class LetterParameters(WindowParameters):
    """Which letters are meant; the window is one of the time of failing, by default all of it."""

    state: StateName | None = None
    topic: Name | None = Field(default=None, description="The topic that the record came from.")
    reason: Name | None = None
    fingerprint: Fingerprint | None = Field(default=None, description="As groups have it: what failed alike.")
    service: Name | None = Field(default=None, description="Who could not process it.")
    conversation_id: str | None = Field(default=None, pattern=ID_PATTERN)

    def window(self, now: datetime, default_length: Any = None) -> Window:  # noqa: ARG002 - all of it, however long
        """The window that is asked for. Raises a 400 Problem when it ends before it starts."""
        return super().window(now, now - _BEGINNING) if self.end_time is None else self._until(self.end_time)

    def _until(self, end: datetime) -> Window:
        return super().window(end, end - _BEGINNING)

    def selection(self, window: Window) -> Selection:
        """The letters of the window that are meant."""
        return Selection(
            state=self.state,
            topic=self.topic,
            reason=self.reason,
            fingerprint=self.fingerprint,
            service=self.service,
            conversation_id=self.conversation_id,
            since=window.start,
            until=window.end,
        )


class PageParameters(LetterParameters):
    """A page of letters."""

    limit: int = Field(default=100, ge=1, le=1_000)
    cursor: CursorText | None = Field(default=None, description="`next_cursor` of the page before.")


class GroupParameters(LetterParameters):
    """Groups of letters."""

    limit: int = Field(default=100, ge=1, le=1_000)


def dead_letters_router(context: ReadContext) -> APIRouter:
    """Routes under /api/v1/dead-letters that only read."""
    router = APIRouter(prefix=PREFIX, tags=["dead letters"])
    may_read = [Depends(admit_within_limits("read"))]

    @router.get(
        "/groups", summary="What failed alike, and how often", dependencies=may_read, responses=documented.errors()
    )
    async def list_groups(asked: Annotated[GroupParameters, Query()]) -> Response:
        window = asked.window(context.now())
        async with context.database.snapshot() as connection:
            groups = await read_groups(connection, asked.selection(window), asked.limit)
        return json_answer({"groups": groups})

    @router.get("", summary="Dead letters, newest first", dependencies=may_read, responses=documented.errors())
    async def list_letters(asked: Annotated[PageParameters, Query()]) -> Response:
        question = {"list": "dead-letters"} | asked.model_dump(exclude={"limit", "cursor", "start_time", "end_time"})
        async with context.database.snapshot() as connection:
            key = await context.cursor_key(connection)
            paging = page_of(asked, question, asked.cursor, context.now(), key)
            rows = await read_letters(connection, asked.selection(paging.window), asked.limit + 1, paging.after)
        shown = [letter_members(row) for row in rows[: asked.limit]]
        next_cursor = paging.next_cursor(rows, asked.limit, letter_cursor)
        return json_answer(
            {"dead_letters": shown, "metadata": {"returned_count": len(shown), "next_cursor": next_cursor}}
        )

    @router.get(
        "/actions",
        summary="What was redriven and dropped, when and by whom",
        dependencies=may_read,
        responses=documented.errors(),
    )
    async def list_actions(limit: Annotated[int, Query(ge=1, le=1_000)] = 50) -> Response:
        async with context.database.snapshot() as connection:
            return json_answer({"actions": await read_actions(connection, limit)})

    @router.get(
        "/{dead_letter_id}",
        summary="One dead letter with its bytes and its history",
        description="The bytes hold what a customer wrote, so this needs the scope `operate`.",
        dependencies=[Depends(admit_within_limits("operate"))],
        responses=documented.errors(404),
    )
    async def get_letter(dead_letter_id: UUID) -> Response:
        async with context.database.snapshot() as connection:
            members = await read_letter(connection, dead_letter_id)
        if members is None:
            raise not_found(_NOT_FOUND)
        return json_answer(members)

    return router
