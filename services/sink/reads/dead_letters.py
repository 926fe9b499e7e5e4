"""Dead letters: groups of one cause, pages, one with its bytes and its history, and what was decided on them."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from services.sink.cursors import Cursor, micros_of, moment_of
from services.sink.reads.conditions import Conditions
from services.sink.reads.members import Row, parsed, time_text
from services.sink.redriving.copies import why_not_sendable
from services.sink.redriving.selection import Selection
from services.sink.sql import dead_letter_reads as sql
from services.sink.windows import Window


async def read_groups(connection: Any, selection: Selection, limit: int) -> list[dict[str, JsonValue]]:
    """Letters that failed alike, those seen last first, each group with its newest letter."""
    conditions = Conditions()
    selection.add_to(conditions)
    query = sql.GROUPS.format(conditions=conditions, limit=conditions.bind(limit))
    return [
        {
            "state": row["state"],
            "topic": row["origin_topic"],
            "reason": row["reason"],
            "fingerprint": row["fingerprint"],
            "service": row["service"],
            "count": row["letters"],
            "first_seen": time_text(row["first_seen"]),
            "last_seen": time_text(row["last_seen"]),
            "newest": {"dead_letter_id": str(row["dead_letter_id"]), "detail": row["detail"]},
        }
        for row in await connection.fetch(query, *conditions.values)
    ]


async def read_letters(connection: Any, selection: Selection, limit: int, after: Cursor | None) -> list[Row]:
    """A page of letters, newest first."""
    conditions = Conditions()
    selection.add_to(conditions)
    if after is not None:
        conditions.add(
            "(d.failed_at, d.dead_letter_id) < ({moment}, {letter_id}::uuid)",
            moment=moment_of(int(after.after)),
            letter_id=UUID(after.conversation_id),
        )
    query = sql.PAGE.format(conditions=conditions, limit=conditions.bind(limit))
    rows: list[Row] = await connection.fetch(query, *conditions.values)
    return rows


def letter_cursor(row: Row, window: Window) -> Cursor:
    """The cursor of the page that follows this letter."""
    return Cursor(window, micros_of(row["failed_at"]), str(row["dead_letter_id"]))


def letter_members(row: Row) -> dict[str, JsonValue]:
    """A letter as lists show it: all but its bytes, which hold what customers wrote."""
    return {
        "dead_letter_id": str(row["dead_letter_id"]),
        "state": row["state"],
        "reason": row["reason"],
        "detail": row["detail"],
        "fingerprint": row["fingerprint"],
        "failed_at": time_text(row["failed_at"]),
        "stored_at": time_text(row["stored_at"]),
        "service": row["service"],
        "topic": row["origin_topic"],
        "partition": row["origin_partition"],
        "offset": row["origin_offset"],
        "accepted_at": _broker_time(row["origin_timestamp_ms"]),
        "conversation_id": row["conversation_id"],
        "sha256": row["sha256"],
        "original_size": row["original_size"],
        "is_truncated": row["is_truncated"],
        "cannot_be_sent": why_not_sendable(row),
        "ancestors": [str(ancestor) for ancestor in row["ancestors"]],
    }


def _broker_time(timestamp_ms: int) -> str | None:
    try:
        return time_text(datetime.fromtimestamp(timestamp_ms / 1000, UTC))
    except (OverflowError, ValueError, OSError):  # a stranger wrote the headers
        return None


async def read_letter(connection: Any, letter_id: UUID) -> dict[str, JsonValue] | None:
    """A letter with its record, what became of it, and the letters that it was before and became."""
    row = await connection.fetchrow(sql.LETTER, letter_id)
    if row is None:
        return None
    descendants = [one["dead_letter_id"] for one in await connection.fetch(sql.DESCENDANTS, letter_id)]
    family = [*row["ancestors"], letter_id, *descendants]
    return {
        **letter_members(row),
        "descendants": [str(descendant) for descendant in descendants],
        "history": [_step_members(step) for step in await connection.fetch(sql.HISTORY, family)],
        "record": {
            "key_base64": _base64(row["record_key"]),
            "value_base64": _base64(row["record_value"]),
            "headers": [
                {"name": name, "value_base64": _base64(content)}
                for name, content in zip(row["header_names"], row["header_values"], strict=True)
            ],
        },
    }


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _step_members(row: Row) -> dict[str, JsonValue]:
    return {
        "dead_letter_id": str(row["dead_letter_id"]),
        "step": row["step"],
        "at": time_text(row["at"]),
        "partition": row["sent_partition"],
        "offset": row["sent_offset"],
        "problem": row["problem"],
        "action_id": str(row["action_id"]),
        "done_by": row["done_by"],
        "note": row["note"],
    }


async def read_actions(connection: Any, limit: int) -> list[dict[str, JsonValue]]:
    """What was decided, the newest first. Of letters that have left by retention or erasure nothing is counted."""
    return [_action_members(row) for row in await connection.fetch(sql.ACTIONS, limit)]


def _action_members(row: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {
        "action_id": str(row["action_id"]),
        "kind": row["kind"],
        "done_by": row["done_by"],
        "note": row["note"],
        "selection": parsed(row["selection"]),
        "started_at": time_text(row["started_at"]),
        "acted_at": time_text(row["acted_at"]),
        "redriven": row["redriven"],
        "refused": row["refused"],
        "dropped": row["dropped"],
    }
