"""How the whole stands: conversations by status, the oldest unfinished one, what today took."""

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from services.sink.reads.members import time_text
from services.sink.sql import reads as sql
from services.sink.versions import KnownVersions


async def count_statuses(connection: Any) -> dict[str, int]:
    """Conversations by status, over all time."""
    row = await connection.fetchrow(sql.STATUS_COUNTS)
    return {name: int(row[name]) for name in ("queued", "processing", "completed", "skipped", "failed")}


async def read_status(connection: Any, versions: KnownVersions, now: datetime) -> dict[str, JsonValue]:
    """The members that Postgres knows."""
    counts = await count_statuses(connection)
    oldest = await connection.fetchrow(sql.OLDEST_UNFINISHED)
    usage = await connection.fetchrow(sql.USAGE_OF_DAY, now.date())
    return {
        "conversations": dict(counts),
        "accepted": sum(counts.values()),
        "oldest_unfinished": None
        if oldest is None
        else {
            "conversation_id": oldest["conversation_id"],
            "accepted_at": time_text(oldest["unfinished_since"]),
            "age_seconds": round((now - oldest["unfinished_since"]).total_seconds(), 3),
        },
        "today": {
            "calls": int(usage["calls"]),
            "tokens": int(usage["tokens"]),
            "cost_usd": round(int(usage["cost_nanousd"]) / 1e9, 9),
        },
        "analysis": {"active_version": versions.active, "versions": [*sorted(versions.ids)]},
    }
