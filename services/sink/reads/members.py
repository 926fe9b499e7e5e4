"""Rows as the members of JSON answers: the only place that names them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

Row = Mapping[str, Any]


def time_text(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat().replace("+00:00", "Z")


def insight_members(row: Row, version: str) -> dict[str, JsonValue]:
    """An insight as lists show it. `text` is what the customer said first, null until the conversation is stored."""
    return {
        "insight_id": str(row["insight_id"]),
        "conversation_id": row["conversation_id"],
        "timestamp": time_text(row["occurred_at"]),
        "text": row["opening"],
        "sentiment": row["sentiment"],
        "grok_analysis": {
            "sentiment_score": row["sentiment_score"],
            "clusters": list(row["clusters"]),
            "confidence": row["confidence"],
            "reasoning": row["reasoning"],
        },
        "topics": list(row["topics"]),
        "summary": row["summary"],
        "evidence": row["evidence"],
        "channel": row["channel"],
        "analysis_version": version,
        "path": row["path"],
        "model": row["model"],
        "analyzed_at": time_text(row["analyzed_at"]),
        "stale": bool(row["stale"]),
    }


def full_insight_members(row: Row, version: str) -> dict[str, JsonValue]:
    """An insight with how it came about."""
    return {
        **insight_members(row, version),
        "content_hash": row["content_hash"].hex(),
        "revision": revision_text(row),
        "lane": row["lane"],
        "batch_id": str(row["batch_id"]),
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_usd": row["cost_usd"],
        "started_at": time_text(row["started_at"]),
        "stored_at": time_text(row["stored_at"]),
    }


def revision_text(row: Row) -> str:
    """A revision as events and headers write it."""
    return f"{row['revision_ms']}-{row['revision_offset']}"


def conversation_members(row: Row) -> dict[str, JsonValue]:
    """A conversation as lists show it."""
    return {
        "conversation_id": row["conversation_id"],
        "status": row["status"],
        "status_at": time_text(row["status_at"]),
        "received_at": time_text(row["received_at"]),
        "occurred_at": time_text(row["occurred_at"]),
        "channel": row["channel"],
        "language": row["language"],
    }


def parsed(text: str | None) -> JsonValue:
    """A column of the type json."""
    value: JsonValue = None if text is None else json.loads(text)
    return value
