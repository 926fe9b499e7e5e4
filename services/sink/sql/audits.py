"""How many rows of each rollup say anything, and which differ from a recount: in the order of `recounts`."""

# ruff: noqa: S608 - the pieces put together are constants of this module

from services.sink.sql.recounts import COVERED, DIFFERENCES, SENTIMENTS, STATUSES


def _kept(table: str, columns: tuple[str, ...]) -> str:
    return f"SELECT count(*) FROM {table} WHERE {' OR '.join(f'{name} <> 0' for name in columns)}"


_TABLES = {
    "rollup_minutes": SENTIMENTS,
    "rollup_hours": SENTIMENTS,
    "rollup_days": SENTIMENTS,
    "rollup_status_minutes": STATUSES,
    "rollup_status_hours": STATUSES,
    "rollup_status_days": STATUSES,
    "coverage": COVERED,
}

ROLLUPS = tuple(
    (table, columns, _kept(table, columns), differences)
    for (table, columns), differences in zip(_TABLES.items(), DIFFERENCES, strict=True)
)
"""(table, the figures of a row, the query for its number of rows, the query for those that differ)"""
