"""Counts over windows, exact at any size: days, hours and minutes from rollups, the edges from rows.

Arguments of all: $1 version, $2 channel and $3 subject ('' for all), then spans as arrays (number, grain, sign, from,
to). A grain is 0 (rows), 1 (minutes), 2 (hours) or 3 (days): see windows.py. Each span is read by itself (LATERAL, and
an aggregate within it), so the planner can neither scan a rollup nor compare each of its rows with each span.
"""

# ruff: noqa: S608 - the pieces put together are constants of this module; every value is bound

_SPANS = """(
            SELECT * FROM unnest($4::integer[], $5::integer[], $6::integer[], $7::timestamptz[], $8::timestamptz[])
                AS s (number, grain, sign, low, high)
        ) s"""
_OUTCOMES_OF_SPAN = """
                FROM current_outcomes o
                WHERE s.grain = 0 AND o.version_id = $1 AND o.insight_id IS NOT NULL
                    AND o.occurred_at >= s.low AND o.occurred_at < s.high AND ($2 = '' OR o.channel = $2)"""


def _sentiments_from(table: str, grain: int) -> str:
    return f"""
                SELECT sum(r.positive), sum(r.neutral), sum(r.negative), sum(r.score_sum)
                FROM {table} r
                WHERE s.grain = {grain} AND r.version_id = $1 AND r.channel = $2 AND r.subject = $3
                    AND r.bucket >= s.low AND r.bucket < s.high"""


def _sentiments(condition: str) -> str:
    return f"""
        SELECT s.number, sum(s.sign * c.positive)::bigint AS positive, sum(s.sign * c.neutral)::bigint AS neutral,
            sum(s.sign * c.negative)::bigint AS negative, coalesce(sum(s.sign * c.score_sum), 0)::bigint AS score_sum
        FROM {_SPANS}
        CROSS JOIN LATERAL (
            {_sentiments_from("rollup_days", 3)}
                UNION ALL
            {_sentiments_from("rollup_hours", 2)}
                UNION ALL
            {_sentiments_from("rollup_minutes", 1)}
                UNION ALL
                SELECT count(*) FILTER (WHERE o.sentiment = 'positive'),
                    count(*) FILTER (WHERE o.sentiment = 'neutral'),
                    count(*) FILTER (WHERE o.sentiment = 'negative'), sum(o.score)
                {_OUTCOMES_OF_SPAN} AND ($3 = '' OR $3 = ANY (o.topics))
        ) c (positive, neutral, negative, score_sum)
        WHERE {condition}
        GROUP BY s.number"""


SENTIMENTS = _sentiments("true")
"""By number."""


def _cells(table: str, grain: int) -> str:
    return f"""
    SELECT 'cell', 0, '', r.positive::bigint, r.neutral::bigint, r.negative::bigint, r.score_sum, r.bucket
    FROM {table} r
    WHERE $11 = {grain} AND r.version_id = $1 AND r.channel = $2 AND r.subject = $3
        AND r.bucket >= $12 AND r.bucket < $13 AND r.positive + r.neutral + r.negative > 0"""


def _subjects_from(table: str, grain: int) -> str:
    return f"""
                SELECT r.subject, sum(r.positive + r.neutral + r.negative)
                FROM {table} r
                WHERE s.grain = {grain} AND r.version_id = $1 AND r.channel = $2 AND r.subject > ''
                    AND ($3 = '' OR r.subject = $3) AND r.bucket >= s.low AND r.bucket < s.high
                GROUP BY r.subject"""


_SUBJECTS = f"""
        SELECT c.subject, sum(s.sign * c.total)::bigint AS total
        FROM {_SPANS}
        CROSS JOIN LATERAL (
            {_subjects_from("rollup_days", 3)}
                UNION ALL
            {_subjects_from("rollup_hours", 2)}
                UNION ALL
            {_subjects_from("rollup_minutes", 1)}
                UNION ALL
                SELECT t.subject, count(*)
                FROM (SELECT o.topics {_OUTCOMES_OF_SPAN}) o CROSS JOIN LATERAL unnest(o.topics) AS t (subject)
                WHERE $3 = '' OR t.subject = $3
                GROUP BY t.subject
        ) c (subject, total)
        WHERE s.number = $9
        GROUP BY c.subject HAVING sum(s.sign * c.total) > 0 ORDER BY total DESC, c.subject LIMIT $10"""


def _statuses_from(table: str, grain: int) -> str:
    return f"""
                SELECT sum(r.completed), sum(r.skipped), sum(r.failed), sum(r.queued + r.processing)
                FROM {table} r
                WHERE s.grain = {grain} AND r.channel = $2 AND r.bucket >= s.low AND r.bucket < s.high"""


_COVERAGE = f"""
        SELECT coalesce(sum(s.sign * n.completed), 0)::bigint AS completed,
            coalesce(sum(s.sign * n.skipped), 0)::bigint AS skipped,
            coalesce(sum(s.sign * n.failed), 0)::bigint AS failed,
            coalesce(sum(s.sign * n.in_flight), 0)::bigint AS in_flight
        FROM {_SPANS}
        CROSS JOIN LATERAL (
            {_statuses_from("rollup_status_days", 3)}
                UNION ALL
            {_statuses_from("rollup_status_hours", 2)}
                UNION ALL
            {_statuses_from("rollup_status_minutes", 1)}
                UNION ALL
                SELECT count(*) FILTER (WHERE c.status = 'completed'), count(*) FILTER (WHERE c.status = 'skipped'),
                    count(*) FILTER (WHERE c.status = 'failed'),
                    count(*) FILTER (WHERE c.status IN ('queued', 'processing'))
                FROM conversations c
                WHERE s.grain = 0 AND c.occurred_at >= s.low AND c.occurred_at < s.high AND ($2 = '' OR c.channel = $2)
        ) n (completed, skipped, failed, in_flight)
        WHERE s.number = $9"""

TRENDS = f"""
    SELECT 'piece' AS what, p.number, '' AS subject, p.positive, p.neutral, p.negative, p.score_sum,
        NULL::timestamptz AS start
    FROM ({_sentiments("s.number <> $9 AND s.grain <> 2")}
    ) p
    WHERE (p.positive, p.neutral, p.negative, p.score_sum) <> (0, 0, 0, 0)
    UNION ALL
    SELECT 'piece', s.number, '', c.positive, c.neutral, c.negative, c.score_sum::bigint, NULL
    FROM {_SPANS}
    CROSS JOIN LATERAL ({_sentiments_from("rollup_hours", 2)}
    ) c (positive, neutral, negative, score_sum)
    WHERE s.number <> $9 AND s.grain = 2 AND c.score_sum IS NOT NULL
    UNION ALL
    {_cells("rollup_hours", 2).strip()}
    UNION ALL
    {_cells("rollup_days", 3).strip()}
    UNION ALL
    SELECT 'subject', 0, t.subject, t.total, 0, 0, 0, NULL
    FROM ({_SUBJECTS}
    ) t
    UNION ALL
    SELECT 'coverage', 0, '', c.completed, c.skipped, c.failed, c.in_flight, NULL
    FROM ({_COVERAGE}
    ) c
"""
"""In one statement, since on a busy machine each waits for its turn: sentiments of pieces by number, those of all hours
or days ($11) from $12 to $13, the $10 most frequent subjects, and where the conversations stand, the latter two over
the spans of the number $9. Pieces have numbers and signs of their own; there may be hundreds of hours (the edges of
another zone's days), so that those are read in the plainest way."""

PLANNED_ONCE = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)
"""
"""Within this transaction: to plan TRENDS takes four times as long as to answer it, and its shape leaves no choice but
the indexes."""
