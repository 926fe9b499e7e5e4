"""Sending dead letters again, and dropping them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Depends
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from schemas.event import ID_PATTERN, refuse_unstorable_text
from services.runtime.api_keys import ANONYMOUS, ApiKey
from services.runtime.client_limits import admit_within_limits
from services.runtime.kafka import KafkaUnavailable
from services.runtime.problems import FieldProblem, Problem
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer
from services.sink.endpoints.context import ReadContext
from services.sink.endpoints.dead_letters import PREFIX, Fingerprint, Name
from services.sink.failures import SERIALIZATION, is_unavailable
from services.sink.reads.members import time_text
from services.sink.redriving.actions import Action, ForeignAction, Pile, drop, preview
from services.sink.redriving.redriver import AlreadyRunning, Redriver, Unsettled
from services.sink.redriving.selection import Selection

_MOST_IDS = 1_000


def _clamped(moment: datetime) -> datetime:
    """The moment in UTC; at the ends of time, where UTC has no such date, the last that it has."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if moment.year > 1 else datetime.min.replace(tzinfo=UTC)


_Moment = Annotated[AwareDatetime, AfterValidator(_clamped)]
_Words = Annotated[str, Field(pattern=r"^[^\x00]*$"), AfterValidator(refuse_unstorable_text)]
_NARROWING = (
    "dead_letter_ids",
    "topic",
    "reason",
    "fingerprint",
    "service",
    "conversation_id",
    "since",
    "until",
)
_SAYS_WHICH: list[Any] = [
    *({"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in _NARROWING),
    {"required": ["everything"], "properties": {"everything": {"const": True}}},
]


class SelectedLetters(BaseModel):
    """Letters that meet all of these."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"anyOf": _SAYS_WHICH})

    dead_letter_ids: Annotated[list[UUID], Field(min_length=1, max_length=_MOST_IDS)] | None = None
    topic: Name | None = None
    reason: Name | None = None
    fingerprint: Fingerprint | None = None
    service: Name | None = None
    conversation_id: str | None = Field(default=None, pattern=ID_PATTERN)
    since: _Moment | None = None
    until: _Moment | None = None
    everything: bool = Field(default=False, description="Needed when nothing else narrows the selection down.")
    state: Literal["waiting", "dropped"] = "waiting"

    def selection(self) -> Selection:
        """The selection. Raises a 400 Problem for one that means every letter without saying so."""
        ids = self.dead_letter_ids
        selection = Selection(
            dead_letter_ids=None if ids is None else tuple(dict.fromkeys(ids)),
            state=self.state,
            topic=self.topic,
            reason=self.reason,
            fingerprint=self.fingerprint,
            service=self.service,
            conversation_id=self.conversation_id,
            since=self.since,
            until=self.until,
        )
        if selection.is_everything and not self.everything:
            problem = "selects every letter; name what is meant, or say `everything: true`"
            raise Problem(400, "invalid_schema", f"selection: {problem}", errors=[FieldProblem("selection", problem)])
        return selection


class Decision(BaseModel):
    """What to do with some letters; with the same `action_id` it goes on where it stopped."""

    model_config = ConfigDict(extra="forbid")

    selection: SelectedLetters
    action_id: UUID = Field(default_factory=uuid4, description="Chosen by the client, so that it can be repeated.")
    dry_run: bool = Field(default=False, description="Say what would be done, and do nothing.")
    as_of: _Moment | None = Field(
        default=None, description="Of these letters only those stored by then; a dry run states its moment."
    )
    note: _Words = Field(default="", max_length=300, description="Why; kept in the history.")
    done_by: _Words | None = Field(
        default=None, min_length=1, max_length=128, description="Who; the API key's name counts when one is shown."
    )

    def action(self, kind: Literal["redrive", "drop"], caller: ApiKey) -> Action:
        """The decision with the name of who made it."""
        name = (self.done_by or caller.name) if caller.name == ANONYMOUS else caller.name
        return Action(self.action_id, kind, self.selection.selection(), name, self.note, self.as_of)


class Redrive(Decision):
    """A decision to send letters again."""

    limit: int = Field(default=500, ge=1, le=1_000, description="The most letters that this request sends.")


_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"description": "Another redrive runs, or was interrupted a moment ago; see Retry-After."}
}
_MayOperate = Annotated[ApiKey, Depends(admit_within_limits("operate"))]


def redrives_router(context: ReadContext, redriver: Redriver, pool: asyncpg.Pool) -> APIRouter:
    """Routes under /api/v1/dead-letters that change something."""
    router = APIRouter(prefix=PREFIX, tags=["dead letters"])
    errors = {**documented.errors(), **_CONFLICT}

    @router.post("/redrives", summary="Send dead letters again", responses=errors)
    async def redrive(asked: Redrive, caller: _MayOperate) -> Response:
        action = asked.action("redrive", caller)
        async with _explained():
            if asked.dry_run:
                return await _preview(context, action)
            done = await redriver.redrive(action, asked.limit)
        return json_answer(
            {
                "action_id": str(action.action_id),
                "dry_run": False,
                "redriven": done.sent,
                "refused": [{"dead_letter_id": str(one), "problem": why} for one, why in done.refused.items()],
                "unknown": done.unknown,
                "found_sent": done.found,
                "remaining": done.remaining,
                "cannot_be_sent": done.unsendable,
            }
        )

    @router.post("/drops", summary="Drop dead letters", responses=errors)
    async def drop_letters(asked: Decision, caller: _MayOperate) -> Response:
        action = asked.action("drop", caller)
        async with _explained():
            if asked.dry_run:
                return await _preview(context, action)
            done = await drop(pool, action)
        return json_answer(
            {
                "action_id": str(action.action_id),
                "dry_run": False,
                "dropped": done.dropped,
                "remaining": done.remaining,
            }
        )

    return router


async def _preview(context: ReadContext, action: Action) -> Response:
    async with context.database.snapshot() as connection:
        as_of, piles = await preview(connection, action)
    return json_answer(
        {
            "action_id": str(action.action_id),
            "dry_run": True,
            "as_of": time_text(as_of),
            "would_redrive" if action.kind == "redrive" else "would_drop": sum(
                pile.letters for pile in piles if pile.is_sendable or action.kind == "drop"
            ),
            "cannot_be_sent": sum(pile.letters for pile in piles if not pile.is_sendable),
            "piles": [_pile_members(pile) for pile in piles],
        }
    )


def _pile_members(pile: Pile) -> dict[str, object]:
    return {
        "topic": pile.topic,
        "reason": pile.reason,
        "can_be_sent": pile.is_sendable,
        "count": pile.letters,
        "bytes": pile.size_bytes,
    }


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """What stands in the way, as problems."""
    try:
        yield
    except AlreadyRunning as error:
        raise Problem(
            409, "redrive_running", "Another redrive runs now; it sends one after the other.", retry_after=2
        ) from error
    except Unsettled as error:
        seconds = max(1, round(error.seconds + 0.5))
        raise Problem(
            409, "redrive_unsettled", f"{error}."[0].upper() + f"{error}."[1:], retry_after=seconds
        ) from error
    except ForeignAction as error:
        details = "action_id: this action was begun with another selection; choose a new id"
        raise Problem(409, "foreign_action", details) from error
    except KafkaUnavailable as error:
        raise Problem(503, "kafka_unavailable", f"{error}; nothing is lost, try again.", retry_after=5) from error
    except SERIALIZATION as error:
        raise Problem(503, "database_busy", "Another writer was in the way; try again.", retry_after=1) from error
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise Problem(503, "database_unavailable", "Postgres does not answer; try again.", retry_after=2) from error
