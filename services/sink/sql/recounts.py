"""Rollups counted anew from the rows they stand for; days from their hours.

Each gives the cells that differ: none, ever.
"""

# ruff: noqa: S608 - the pieces put together are constants of this module

SENTIMENTS = ("positive", "neutral", "negative", "score_sum")
STATUSES = ("queued", "processing", "failed", "skipped", "completed")
COVERED = ("completed", "skipped", "failed")


def _insights(table: str, step: str) -> str:
    return f"""
    WITH counted AS (
        SELECT o.version_id, ch.name AS channel, s.name AS subject,
            date_bin('{step}', o.occurred_at, '2000-01-01Z') AS bucket,
            count(*) FILTER (WHERE o.sentiment = 'positive') AS positive,
            count(*) FILTER (WHERE o.sentiment = 'neutral') AS neutral,
            count(*) FILTER (WHERE o.sentiment = 'negative') AS negative,
            sum(o.score) AS score_sum
        FROM current_outcomes o
        CROSS JOIN LATERAL unnest(ARRAY['', o.channel]) AS ch (name)
        CROSS JOIN LATERAL unnest(''::text || o.topics) AS s (name)
        WHERE o.insight_id IS NOT NULL AND ch.name IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ), kept AS (
        SELECT version_id, channel, subject, bucket, positive, neutral, negative, score_sum FROM {table}
        WHERE positive <> 0 OR neutral <> 0 OR negative <> 0 OR score_sum <> 0
    )
    SELECT '{table}' AS rollup, version_id, channel, subject, bucket, to_jsonb(c) AS counted, to_jsonb(k) AS kept
    FROM counted c FULL JOIN kept k USING (version_id, channel, subject, bucket)
    WHERE (c.positive, c.neutral, c.negative, c.score_sum)
        IS DISTINCT FROM (k.positive, k.neutral, k.negative, k.score_sum)
    LIMIT 100"""


def _statuses(table: str, step: str) -> str:
    counts = ", ".join(f"count(*) FILTER (WHERE status = '{name}') AS {name}" for name in STATUSES)
    return f"""
    WITH counted AS (
        SELECT ch.name AS channel, date_bin('{step}', occurred_at, '2000-01-01Z') AS bucket, {counts}
        FROM conversations CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
        WHERE ch.name IS NOT NULL
        GROUP BY 1, 2
    ), kept AS (
        SELECT channel, bucket, {", ".join(STATUSES)} FROM {table}
        WHERE {_says_anything(STATUSES)}
    )
    SELECT '{table}' AS rollup, NULL::smallint AS version_id, channel, NULL AS subject, bucket,
        to_jsonb(c) AS counted, to_jsonb(k) AS kept
    FROM counted c FULL JOIN kept k USING (channel, bucket)
    WHERE {_differ(STATUSES)}
    LIMIT 100"""


_COVERAGE = """
    WITH counted AS (
        SELECT o.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z') AS bucket,
            count(*) FILTER (WHERE o.kind = 'completed') AS completed,
            count(*) FILTER (WHERE o.kind = 'skipped') AS skipped,
            count(*) FILTER (WHERE o.kind = 'failed') AS failed
        FROM conversations c JOIN current_outcomes o ON o.conversation_id = c.conversation_id
            AND (o.revision_ms, o.revision_offset) >= (c.revision_ms, c.revision_offset)
        GROUP BY 1, 2
    ), kept AS (
        SELECT version_id, bucket, completed, skipped, failed FROM coverage
        WHERE completed <> 0 OR skipped <> 0 OR failed <> 0
    )
    SELECT 'coverage' AS rollup, version_id, NULL AS channel, NULL AS subject, bucket,
        to_jsonb(c) AS counted, to_jsonb(k) AS kept
    FROM counted c FULL JOIN kept k USING (version_id, bucket)
    WHERE (c.completed, c.skipped, c.failed) IS DISTINCT FROM (k.completed, k.skipped, k.failed)
    LIMIT 100"""


def _days(days: str, hours: str, key: str, names: tuple[str, ...]) -> str:
    """Days against their hours, which are counted from the rows: at tens of millions one walk less."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    place = ", ".join(name if name in key else f"NULL AS {name}" for name in ("channel", "subject"))
    version = "version_id" if "version_id" in key else "NULL::smallint AS version_id"
    return f"""
    WITH counted AS (
        SELECT * FROM (
            SELECT {key}, date_bin('1 day', bucket, '2000-01-01Z') AS bucket, {sums} FROM {hours}
            GROUP BY {key}, date_bin('1 day', bucket, '2000-01-01Z')
        ) summed
        WHERE {_says_anything(names)}
    ), kept AS (
        SELECT {key}, bucket, {", ".join(names)} FROM {days} WHERE {_says_anything(names)}
    )
    SELECT '{days}' AS rollup, {version}, {place}, bucket, to_jsonb(c) AS counted, to_jsonb(k) AS kept
    FROM counted c FULL JOIN kept k USING ({key}, bucket)
    WHERE {_differ(names)}
    LIMIT 100"""


def _says_anything(names: tuple[str, ...]) -> str:
    return " OR ".join(f"{name} <> 0" for name in names)


def _differ(names: tuple[str, ...]) -> str:
    counted, kept = (", ".join(f"{side}.{name}" for name in names) for side in "ck")
    return f"({counted}) IS DISTINCT FROM ({kept})"


DIFFERENCES = (
    _insights("rollup_minutes", "1 minute"),
    _insights("rollup_hours", "1 hour"),
    _days("rollup_days", "rollup_hours", "version_id, channel, subject", SENTIMENTS),
    _statuses("rollup_status_minutes", "1 minute"),
    _statuses("rollup_status_hours", "1 hour"),
    _days("rollup_status_days", "rollup_status_hours", "channel", STATUSES),
    _COVERAGE,
)
