"""Taking out what is left under a retired version ($1), a batch of conversations ($2) at a time.

Pointers leave in the statement that takes them out of the rollups, so a recount agrees at any time. Run in this order,
which is every writer's order of locks.
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.outcomes import COUNT_SHOWN, RETURN_SHOWN

RETIRED = """
    SELECT version_id, name FROM analysis_versions WHERE state = 'retired' AND emptied_at IS NULL ORDER BY version_id
"""

STILL_RETIRED = "SELECT EXISTS (SELECT FROM analysis_versions WHERE version_id = $1 AND state = 'retired')"

PAGE = """
    SELECT conversation_id FROM current_outcomes WHERE version_id = $1 AND conversation_id > $2
    ORDER BY conversation_id LIMIT $3
"""

INSIGHTS = """
    WITH removed AS (
        DELETE FROM insights WHERE insight_id = ANY (ARRAY(
            SELECT i.insight_id FROM insights i WHERE i.conversation_id = ANY ($2::text[]) AND i.version_id = $1
            ORDER BY i.insight_id FOR UPDATE
        ))
        RETURNING insight_id
    ), silenced AS (
        DELETE FROM completions WHERE insight_id = ANY (ARRAY(SELECT insight_id FROM removed))
    )
    SELECT count(*) FROM removed
"""

POINTERS = f"""
    WITH locked AS MATERIALIZED (
        SELECT o.conversation_id, o.version_id FROM current_outcomes o
        WHERE o.conversation_id = ANY ($2::text[]) AND o.version_id = $1
        ORDER BY 1, 2 FOR UPDATE
    ), moved AS (
        DELETE FROM current_outcomes o USING locked l
        WHERE o.conversation_id = l.conversation_id AND o.version_id = l.version_id
        RETURNING old.version_id AS version_id,{RETURN_SHOWN}
    ){COUNT_SHOWN}
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
    _cells("coverage_hours", " AND completed = 0 AND skipped = 0 AND failed = 0"),
)
"""Counts of nothing, once no pointer is left and the changes of coverage are folded."""

EMPTIED = "UPDATE analysis_versions SET emptied_at = clock_timestamp() WHERE version_id = $1 AND state = 'retired'"

LOCK = "SELECT pg_try_advisory_xact_lock(7564657278)"
