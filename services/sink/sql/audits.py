"""How many rows of each rollup say anything, and which differ from a recount: in the order of `recounts`."""

# ruff: noqa: S608 - the pieces put together are constants of this module

from services.sink.sql.recounts import DIFFERENCES


def _kept(table: str, columns: tuple[str, ...]) -> str:
    return f"SELECT count(*) FROM {table} WHERE {' OR '.join(f'{name} <> 0' for name in columns)}"


_INSIGHTS = ("positive", "neutral", "negative", "score_sum")
_STATUSES = ("queued", "processing", "failed", "skipped", "completed")
_TABLES = {
    "rollup_minutes": _INSIGHTS,
    "rollup_hours": _INSIGHTS,
    "rollup_status_minutes": _STATUSES,
    "rollup_status_hours": _STATUSES,
    "coverage": ("completed", "skipped", "failed"),
}

ROLLUPS = tuple(
    (table, columns, _kept(table, columns), differences)
    for (table, columns), differences in zip(_TABLES.items(), DIFFERENCES, strict=True)
)
"""(table, the figures of a row, the query for its number of rows, the query for those that differ)"""
