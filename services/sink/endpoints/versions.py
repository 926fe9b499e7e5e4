"""Analysis versions: how each stands, two compared, and what one lacks."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from services.runtime.client_limits import admit_within_limits
from services.runtime.problems import Problem
from services.sink.cursors import Cursor, InvalidCursor, micros_of, moment_of, question_of, read_cursor, write_cursor
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, not_found
from services.sink.endpoints.context import ReadContext
from services.sink.endpoints.parameters import CursorText, Version, WindowParameters, refused
from services.sink.reads.members import Row, time_text
from services.sink.versioning.coverage import (
    BEGINNING,
    Place,
    Standings,
    VersionStanding,
    read_standings,
    walk_missing,
)
from services.sink.versioning.diffs import DIFF_SECONDS, read_diff
from services.sink.versioning.offers import Offer
from services.sink.versions import KnownVersions, read_versions
from services.sink.windows import Window

PREFIX = "/api/v1/versions"
VersionName = Annotated[Version, Path(description="Such as `offline-2` or `grok-4.3-p2`.")]
_LOOKED_THROUGH = 20_000
"""Of the conversations that one page of missing ones looks at: its cursor goes on where it stopped."""


class DiffParameters(WindowParameters):
    """Conversations that are compared, and how many of those that the versions disagree on are shown."""

    limit: int = Field(default=10, ge=0, le=100)


class MissingParameters(BaseModel):
    """A page of conversations."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=1_000, ge=1, le=10_000)
    cursor: CursorText | None = Field(default=None, description="`next_cursor` of the page before.")


def versions_router(context: ReadContext) -> APIRouter:
    """Routes under /api/v1/versions that only read."""
    router = APIRouter(prefix=PREFIX, tags=["versions"], dependencies=[Depends(admit_within_limits("read"))])
    comparing = asyncio.Semaphore(1)

    @router.get("", summary="Every analysis version, and how much it covers", responses=documented.errors())
    async def list_versions() -> Response:
        offers = await context.offers.standing(context.now())
        async with context.question() as connection:
            standings = await read_standings(connection, context.now())
        return json_answer(standings_members(standings, offers, context.now()))

    @router.get("/{a}/diff/{b}", summary="Two versions over the same conversations", responses=documented.errors(404))
    async def get_diff(a: VersionName, b: VersionName, asked: Annotated[DiffParameters, Query()]) -> Response:
        window = asked.window(context.now())
        if comparing.locked():
            raise Problem(503, "too_many_diffs", "Another comparison is under way; try again.", retry_after=5)
        async with comparing, context.database.snapshot() as connection, asyncio.timeout(DIFF_SECONDS + 10):
            known = await read_versions(connection)
            found = await read_diff(connection, (_id_of(a, known), _id_of(b, known)), window, asked.limit)
            standings = await read_standings(connection, context.now())
        sides = {side: standings.of(name) for side, name in (("a", a), ("b", b))}
        return json_answer(
            {
                "a": a,
                "b": b,
                "start_time": time_text(window.start),
                "end_time": time_text(window.end),
                **found,
                "cost": {side: _cost(one) for side, one in sides.items() if one is not None},
                "missing": {side: one.missing for side, one in sides.items() if one is not None},
            }
        )

    @router.get(
        "/{version}/missing",
        summary="Conversations without an outcome of their newest revision under a version",
        description="A page may hold fewer than `limit`, or none, and go on all the same: follow `next_cursor`.",
        responses=documented.errors(404),
    )
    async def list_missing(version: VersionName, asked: Annotated[MissingParameters, Query()]) -> Response:
        async with context.question() as connection:
            question = question_of({"list": "missing", "version": version})
            key = await context.cursor_key(connection)
            version_id = _id_of(version, await read_versions(connection))
            rows, goes_on_at = await _missing(connection, version_id, _place(asked.cursor, question, key), asked.limit)
        next_cursor = None if goes_on_at is None else write_cursor(_cursor(goes_on_at), question, key)
        ids: list[JsonValue] = [row["conversation_id"] for row in rows]
        return json_answer(
            {"conversation_ids": ids, "metadata": {"returned_count": len(ids), "next_cursor": next_cursor}}
        )

    return router


def _id_of(name: str, known: KnownVersions) -> int:
    if name not in known.ids:
        raise not_found(f"Nothing is known under the analysis version {name}.")
    return known.ids[name]


async def _missing(connection: Any, version_id: int, after: Place, limit: int) -> tuple[list[Row], Place | None]:
    """Missing ones behind a place, and where to go on; None when all were looked at."""
    rows: list[Row] = []
    looked_at = 0
    async for page in walk_missing(connection, version_id, after):
        for row in page:
            looked_at += 1
            if row["is_missing"]:
                rows.append(row)
            if len(rows) == limit or looked_at == _LOOKED_THROUGH:
                return rows, (row["occurred_at"], row["conversation_id"])
    return rows, None


_ALL_TIME = Window(moment_of(0), moment_of(1))


def _place(cursor: str | None, question: str, key: str) -> Place:
    if cursor is None:
        return BEGINNING
    try:
        after = read_cursor(cursor, question, key)
    except InvalidCursor as error:
        raise refused("cursor", str(error)) from error
    return moment_of(int(after.after)), after.conversation_id


def _cursor(place: Place) -> Cursor:
    return Cursor(_ALL_TIME, micros_of(place[0]), place[1])


def standings_members(standings: Standings, offers: Sequence[Offer] | None, now: datetime) -> dict[str, JsonValue]:
    """All versions as JSON has them: for each, accepted is the sum of its counts, in_flight and missing.

    `offers`: what analyzers have engines for; none while nobody knows.
    """
    return {
        "accepted": standings.accepted,
        "active_version": standings.active.name if standings.active else None,
        "previous_version": standings.previous.name if standings.previous else None,
        "announced": standings.is_announced,
        "decided_at": time_text(standings.decided_at),
        "versions": [{**_members(one), "offered_by": _offered_by(one.name, offers)} for one in standings.versions],
        "analyzers": None if offers is None else [_analyzer(offer, now) for offer in offers],
    }


def _offered_by(version: str, offers: Sequence[Offer] | None) -> list[JsonValue] | None:
    return None if offers is None else [offer.instance for offer in offers if version in offer.versions]


def _analyzer(offer: Offer, now: datetime) -> dict[str, JsonValue]:
    return {
        "instance": offer.instance,
        "analysis_versions": list(offer.versions),
        "said_at": time_text(offer.said_at),
        "age_seconds": round(offer.age(now).total_seconds(), 3),
        "is_overdue": offer.is_overdue(now),
    }


def _members(one: VersionStanding) -> dict[str, JsonValue]:
    return {
        "analysis_version": one.name,
        "state": one.state,
        "activated_at": time_text(one.activated_at),
        "is_live": one.is_live,
        "is_on_trial": one.is_on_trial,
        "live_since": time_text(one.live_since),
        "is_seen_live": one.is_seen_live,
        "counts": {"completed": one.completed, "skipped": one.skipped, "failed": one.failed},
        "in_flight": one.in_flight,
        "missing": one.missing,
        **_cost(one),
    }


def _cost(one: VersionStanding) -> dict[str, JsonValue]:
    return {"calls": one.calls, "tokens": one.tokens, "cost_usd": round(one.cost_nanousd / 1e9, 9)}
