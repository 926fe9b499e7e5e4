"""Insights as lines of a file: NDJSON, or CSV that a spreadsheet cannot be tricked with. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_json

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "insight_id",
    "conversation_id",
    "timestamp",
    "channel",
    "sentiment",
    "sentiment_score",
    "confidence",
    "topics",
    "clusters",
    "text",
    "summary",
    "reasoning",
    "evidence",
    "analysis_version",
    "path",
    "model",
    "analyzed_at",
    "stale",
)


def ndjson_line(insight: Mapping[str, Any]) -> bytes:
    """The insight as one line of JSON."""
    return to_json(insight) + b"\n"


def csv_header() -> bytes:
    """The names of the columns."""
    return _csv_line(COLUMNS)


def csv_line(insight: Mapping[str, Any]) -> bytes:
    """The insight as one row; lists are joined by spaces, which slugs do not hold."""
    analysis = insight["grok_analysis"]
    members = {**insight, **analysis}
    members |= {name: " ".join(members[name]) for name in ("topics", "clusters")}
    return _csv_line(_cell(members[name]) for name in COLUMNS)


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _csv_line(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
