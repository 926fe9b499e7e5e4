"""What is left under a retired version ($1): conversations a page at a time (removals.py), then counts of nothing."""

# ruff: noqa: S608 - the pieces put together are constants of this module; every value is bound

RETIRED = """
    SELECT version_id, name FROM analysis_versions WHERE state = 'retired' AND emptied_at IS NULL ORDER BY version_id
"""

STILL_RETIRED = "SELECT EXISTS (SELECT FROM analysis_versions WHERE version_id = $1 AND state = 'retired')"

PAGE = """
    SELECT conversation_id FROM current_outcomes WHERE version_id = $1 AND conversation_id > $2
    ORDER BY conversation_id LIMIT $3
"""


def _cells(table: str, which: str = "") -> str:
    return f"""
    WITH removed AS (
        DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE version_id = $1{which} LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM removed
"""


CELLS = (
    _cells("rollup_minutes"),
    _cells("rollup_hours"),
    _cells("rollup_days"),
    _cells("coverage_hours", " AND completed = 0 AND skipped = 0 AND failed = 0"),
)
"""Counts of nothing, once no pointer is left and the changes of coverage are folded."""

EMPTIED = "UPDATE analysis_versions SET emptied_at = clock_timestamp() WHERE version_id = $1 AND state = 'retired'"

LOCK = "SELECT pg_try_advisory_xact_lock(7564657278)"
