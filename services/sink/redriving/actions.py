"""What a person decided on some dead letters: redrive or drop; looked at before, carried out in steps, kept."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from services.sink.reads.conditions import Conditions
from services.sink.redriving.logs import LogEnds
from services.sink.redriving.selection import Selection
from services.sink.sql import redrives as sql

_MOST_COUNTED = 100_000
_DROPPED_AT_ONCE = 5_000


class ForeignAction(Exception):  # noqa: N818 - it names what was met, as house style asks
    """This action was begun with another selection."""


@dataclass(frozen=True, slots=True)
class Action:
    """A decision; repeating it with the same id goes on with it.

    `as_of` is the moment at which its letters were counted for the person who decided: later ones are not meant.
    """

    action_id: UUID
    kind: Literal["redrive", "drop"]
    selection: Selection
    done_by: str
    note: str = ""
    as_of: datetime | None = None

    @property
    def selection_json(self) -> str:
        return to_json(self.selection.as_members()).decode()

    async def started_at(self, database: Any) -> datetime:
        """When it was begun: now, unless this is a later step of it. Raises ForeignAction."""
        row = await database.fetchrow(sql.ACTION, self.action_id)
        if row is None:
            now: datetime = await database.fetchval(sql.NOW)
            return now
        if row["kind"] != self.kind or json.loads(row["selection"]) != json.loads(self.selection_json):
            raise ForeignAction
        started_at: datetime = row["started_at"]
        return started_at

    def counted_until(self, started_at: datetime) -> datetime:
        """Up to when letters were stored that it deals with."""
        return min(started_at, self.as_of or started_at)


@dataclass(frozen=True, slots=True)
class StillOpen:
    """Letters that an action may still deal with; up to 100,000 are counted."""

    sendable: int
    unsendable: int


@dataclass(frozen=True, slots=True)
class Pile:
    """Letters of one topic and reason."""

    topic: str
    reason: str
    is_sendable: bool
    letters: int
    size_bytes: int


def open_conditions(action: Action, started_at: datetime) -> tuple[Conditions, dict[str, str]]:
    """The conditions of a selection, and the placeholders that the queries name."""
    conditions = Conditions()
    action.selection.add_to(conditions)
    return conditions, {
        "stored_until": conditions.bind(action.counted_until(started_at)),
        "action_id": conditions.bind(action.action_id),
    }


async def preview(database: Any, action: Action) -> tuple[datetime, list[Pile]]:
    """What the action would deal with now, and the moment as of which that is so. Changes nothing."""
    started_at = await action.started_at(database)
    conditions, places = open_conditions(action, started_at)
    rows = await database.fetch(sql.PREVIEW.format(**places, conditions=conditions), *conditions.values)
    piles = [Pile(row["origin_topic"], row["reason"], row["is_sendable"], row["letters"], row["bytes"]) for row in rows]
    return action.counted_until(started_at), piles


async def count_open(database: Any, action: Action, started_at: datetime) -> StillOpen:
    """How many letters remain."""
    conditions, places = open_conditions(action, started_at)
    query = sql.COUNT_OPEN.format(**places, limit=conditions.bind(_MOST_COUNTED), conditions=conditions)
    row = await database.fetchrow(query, *conditions.values)
    return StillOpen(row["sendable"], row["unsendable"])


async def note_action(database: Any, action: Action, started_at: datetime, log_ends: LogEnds | None) -> None:
    """Keep that the action takes a step now."""
    await database.execute(
        sql.BEGIN,
        action.action_id,
        action.kind,
        action.done_by,
        action.note,
        action.selection_json,
        started_at,
        None if log_ends is None else json.dumps(log_ends),
    )


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one step of a drop did."""

    dropped: int
    remaining: int


async def drop(pool: asyncpg.Pool, action: Action) -> Dropped:
    """Mark up to 5,000 letters of the selection as dropped; repeat it with the same action until none remain.

    Raises ForeignAction, and what asyncpg raises.
    """
    async with pool.acquire(timeout=5) as database, database.transaction():
        started_at = await action.started_at(database)
        conditions, places = open_conditions(action, started_at)
        query = sql.DROP.format(**places, limit=conditions.bind(_DROPPED_AT_ONCE), conditions=conditions)
        await note_action(database, action, started_at, None)
        dropped = await database.fetchval(query, *conditions.values)
        if not dropped:
            await database.execute(sql.FORGET_EMPTY, action.action_id)
        still_open = await count_open(database, action, started_at)
    return Dropped(dropped, still_open.sendable + still_open.unsendable)
