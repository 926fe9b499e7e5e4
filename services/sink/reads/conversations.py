"""Conversations: one with everything about it, its trail, and lists by status."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import JsonValue

from services.sink.cursors import Cursor, micros_of
from services.sink.reads.conditions import Conditions
from services.sink.reads.counts import minutes_of_conversations
from services.sink.reads.filters import NEWEST, cut, range_parts
from services.sink.reads.members import (
    Row,
    conversation_members,
    full_insight_members,
    insight_members,
    parsed,
    revision_text,
    time_text,
)
from services.sink.reads.slices import slices
from services.sink.sql import pages as pages_sql
from services.sink.sql import reads as sql
from services.sink.versions import KnownVersions
from services.sink.windows import Window

_HISTORY = 50


async def read_conversation(
    connection: Any, conversation_id: str, versions: KnownVersions
) -> dict[str, JsonValue] | None:
    """Words, status, current insight, earlier ones and, when failed, why."""
    row = await connection.fetchrow(sql.CONVERSATION, conversation_id)
    if row is None:
        return None
    outcome = await _outcome(connection, conversation_id, versions)
    insights = await connection.fetch(sql.INSIGHTS_OF, conversation_id, _HISTORY)
    current = next((one for one in insights if outcome and one["insight_id"] == outcome["insight_id"]), None)
    return {
        **conversation_members(row),
        "revision": revision_text(row),
        "content_hash": row["content_hash"].hex(),
        "turns": parsed(row["turns"]),
        "metadata": parsed(row["metadata"]),
        "raw": parsed(row["raw"]),
        "insight": _current(current, outcome, row, versions),
        "history": [_earlier(one, versions) for one in insights if one is not current],
        **_reasons(row["status"], outcome),
    }


async def _outcome(connection: Any, conversation_id: str, versions: KnownVersions) -> Row | None:
    """The outcome that the conversation's status follows."""
    rows = {row["version_id"]: row for row in await connection.fetch(sql.OUTCOMES_OF, conversation_id)}
    return next((rows[version_id] for version_id in versions.followed if version_id in rows), None)


def _current(
    current: Row | None, outcome: Row | None, row: Row, versions: KnownVersions
) -> dict[str, JsonValue] | None:
    if current is None or outcome is None:
        return None
    shown = (outcome["shown_revision_ms"], outcome["shown_revision_offset"])
    is_stale = outcome["is_behind"] or (row["revision_ms"], row["revision_offset"]) > shown
    members = full_insight_members(current, versions.name_of(current["version_id"]))
    return {**members, "text": row["opening"], "timestamp": time_text(outcome["occurred_at"]), "stale": is_stale}


def _earlier(insight: Row, versions: KnownVersions) -> dict[str, JsonValue]:
    members = insight_members(insight, versions.name_of(insight["version_id"]))
    left_out = {"text", "stale", "conversation_id"}
    return {name: value for name, value in members.items() if name not in left_out} | {
        "revision": revision_text(insight)
    }


def _reasons(status: str, outcome: Row | None) -> dict[str, JsonValue]:
    if outcome is None:
        return {"error": None, "skipped": None}
    reason = {"reason": outcome["reason"], "detail": outcome["detail"]}
    return {
        "error": {**reason, "attempts": outcome["attempts"]} if status == "failed" else None,
        "skipped": reason if status == "skipped" else None,
    }


async def read_trail(
    connection: Any, conversation_id: str, versions: KnownVersions
) -> list[dict[str, JsonValue]] | None:
    """Every step that is known of the newest revision and of its results, by time."""
    row = await connection.fetchrow(sql.CONVERSATION, conversation_id)
    if row is None:
        return None
    steps: list[dict[str, JsonValue]] = [_accepted(row)]
    if row["status"] == "processing":
        steps.append({"at": time_text(row["status_at"]), "step": "started", "revision": revision_text(row)})
    for insight in await connection.fetch(sql.INSIGHTS_OF, conversation_id, _HISTORY):
        steps += _steps_of(insight, versions.name_of(insight["version_id"]))
    for outcome in await connection.fetch(sql.OUTCOMES_OF, conversation_id):
        if outcome["kind"] != "completed":
            steps.append(_ended(outcome, versions.name_of(outcome["version_id"])))
    return sorted(steps, key=lambda step: str(step["at"]))


def _accepted(row: Row) -> dict[str, JsonValue]:
    return {
        "at": time_text(row["received_at"]),
        "step": "accepted",
        "revision": revision_text(row),
        "partition": row["received_partition"],
        "offset": row["revision_offset"],
    }


def _steps_of(insight: Row, version: str) -> list[dict[str, JsonValue]]:
    what: dict[str, JsonValue] = {
        "revision": revision_text(insight),
        "analysis_version": version,
        "batch_id": str(insight["batch_id"]),
    }
    produced: dict[str, JsonValue] = {"insight_id": str(insight["insight_id"]), "path": insight["path"]}
    return [
        {"at": time_text(insight["started_at"]), "step": "started", **what},
        {"at": time_text(insight["analyzed_at"]), "step": "completed", **what, **produced},
        {"at": time_text(insight["stored_at"]), "step": "stored", **what, **produced},
    ]


def _ended(outcome: Row, version: str) -> dict[str, JsonValue]:
    return {
        "at": time_text(outcome["finished_at"]),
        "step": outcome["kind"],
        "revision": revision_text(outcome),
        "analysis_version": version,
        "reason": outcome["reason"],
        "detail": outcome["detail"],
        "attempts": outcome["attempts"],
    }


@dataclass(frozen=True, slots=True)
class ConversationFilters:
    """Which conversations are asked for."""

    status: str | None
    channel: str | None


async def read_conversations(
    connection: Any, filters: ConversationFilters, window: Window, limit: int, after: Cursor | None
) -> list[Row]:
    """Conversations of the window, newest first: read through the minutes that hold some, as rollups tell."""
    window = cut(window, after)
    if filters.status is None and filters.channel is None:
        return await _in_ranges(connection, filters, [window], limit, after)
    rows: list[Row] = []
    read = partial(minutes_of_conversations, connection, filters.channel, filters.status)
    async for ranges in slices(read, window, limit):
        rows += await _in_ranges(connection, filters, ranges, limit - len(rows), after)
        after = None  # it cuts the newest range only
        if len(rows) >= limit:
            break
    return rows


async def _in_ranges(
    connection: Any, filters: ConversationFilters, ranges: Sequence[Window], limit: int, after: Cursor | None
) -> list[Row]:
    query, values = conversations_query(filters, ranges, limit, after)
    rows: list[Row] = await connection.fetch(query, *values)
    return rows


def conversations_query(
    filters: ConversationFilters, ranges: Sequence[Window], limit: int, after: Cursor | None
) -> tuple[str, Sequence[Any]]:
    """The statement of a page, and its values."""
    conditions = Conditions()
    if filters.status is not None:
        conditions.add("o.status = {status}::text::conversation_status", status=filters.status)
    if filters.channel is not None:
        conditions.add("o.channel = {channel}", channel=filters.channel)
    last = conditions.bind(limit)
    template, parts = range_parts(conditions, ranges, after, last)
    found = pages_sql.CONVERSATIONS_BY_TIME[template].format(
        conditions=conditions, order=NEWEST.sql, limit=last, later="true", **parts
    )
    return pages_sql.CONVERSATIONS.format(conversations=found), conditions.values


def conversation_cursor(row: Row, window: Window) -> Cursor:
    """The cursor of the page that follows this row."""
    return Cursor(window, micros_of(row["sort_value"]), row["conversation_id"])


def listed_members(row: Row) -> dict[str, JsonValue]:
    """A conversation in a list: what the customer said first stands for all its words."""
    return {**conversation_members(row), "text": row["opening"]}
