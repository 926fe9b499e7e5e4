"""Counts over a window, exact at any size: hours and minutes from rollups, the edges from rows.

Arguments of all: $1 version, $2 channel ('' for all), then the spans as arrays (bucket, grain, from, to). A grain is
0 (rows), 1 (minutes) or 2 (hours): see windows.py.
"""

# ruff: noqa: S608 - the pieces put together are constants of this module; every value is bound

_SPANS = "unnest($4::integer[], $5::integer[], $6::timestamptz[], $7::timestamptz[]) AS s (number, grain, low, high)"


def _from_rollup(table: str, grain: int) -> str:
    return f"""
        SELECT s.number, r.positive, r.neutral, r.negative, r.score_sum
        FROM {_SPANS} JOIN {table} r
            ON r.version_id = $1 AND r.channel = $2 AND r.subject = $3 AND r.bucket >= s.low AND r.bucket < s.high
        WHERE s.grain = {grain}"""


_ROWS = f"""{_SPANS} JOIN current_outcomes o
            ON o.version_id = $1 AND o.insight_id IS NOT NULL
            AND o.occurred_at >= s.low AND o.occurred_at < s.high
            AND ($2 = '' OR o.channel = $2)"""

SENTIMENTS = f"""
    SELECT number, sum(positive) AS positive, sum(neutral) AS neutral, sum(negative) AS negative,
        sum(score_sum) AS score_sum
    FROM (
        {_from_rollup("rollup_hours", 2)}
        UNION ALL
        {_from_rollup("rollup_minutes", 1)}
        UNION ALL
        SELECT s.number, (o.sentiment = 'positive')::integer, (o.sentiment = 'neutral')::integer,
            (o.sentiment = 'negative')::integer, o.score
        FROM {_ROWS} AND ($3 = '' OR $3 = ANY (o.topics))
        WHERE s.grain = 0
    ) counted
    GROUP BY number ORDER BY number
"""
"""By bucket; $3 is the subject ('' for all)."""


def _subjects_from(table: str, grain: int) -> str:
    return f"""
        SELECT r.subject, r.positive + r.neutral + r.negative AS total
        FROM {_SPANS} JOIN {table} r
            ON r.version_id = $1 AND r.channel = $2 AND r.subject > '' AND r.bucket >= s.low AND r.bucket < s.high
        WHERE s.grain = {grain}"""


SUBJECTS = f"""
    SELECT subject, sum(total) AS total
    FROM (
        {_subjects_from("rollup_hours", 2)}
        UNION ALL
        {_subjects_from("rollup_minutes", 1)}
        UNION ALL
        SELECT subject, 1 FROM {_ROWS} CROSS JOIN LATERAL unnest(o.topics) AS subject
        WHERE s.grain = 0
    ) counted
    WHERE $3 = '' OR subject = $3
    GROUP BY subject HAVING sum(total) > 0 ORDER BY total DESC, subject LIMIT $8
"""
"""The most frequent subjects; $8 says how many."""

_STATUS_SPANS = "unnest($2::integer[], $3::timestamptz[], $4::timestamptz[]) AS s (grain, low, high)"


def _statuses_from(table: str, grain: int) -> str:
    return f"""
        SELECT r.queued + r.processing AS in_flight, r.failed, r.skipped, r.completed
        FROM {_STATUS_SPANS} JOIN {table} r ON r.channel = $1 AND r.bucket >= s.low AND r.bucket < s.high
        WHERE s.grain = {grain}"""


COVERAGE = f"""
    SELECT coalesce(sum(completed), 0) AS completed, coalesce(sum(skipped), 0) AS skipped,
        coalesce(sum(failed), 0) AS failed, coalesce(sum(in_flight), 0) AS in_flight
    FROM (
        {_statuses_from("rollup_status_hours", 2)}
        UNION ALL
        {_statuses_from("rollup_status_minutes", 1)}
        UNION ALL
        SELECT (c.status IN ('queued', 'processing'))::integer, (c.status = 'failed')::integer,
            (c.status = 'skipped')::integer, (c.status = 'completed')::integer
        FROM {_STATUS_SPANS} JOIN conversations c
            ON c.occurred_at >= s.low AND c.occurred_at < s.high AND ($1 = '' OR c.channel = $1)
        WHERE s.grain = 0
    ) counted
"""
"""Conversations by where they stand; $1 is the channel ('' for all)."""
