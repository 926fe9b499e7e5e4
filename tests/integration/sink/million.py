"""A database with very many rows, made by the server itself in seconds: for plans, and for figures.

Insights lie evenly over seven days, a third of them negative, under three channels and eight subjects; one in 5,000
comes by the channel `rare` and one in 2,000 is about `rare` too. Every conversation says `parcel`, one in 100 `week`,
one in 10,000 `unicorn`. Rollups are counted from the rows as the sink's recount does.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg

END = datetime(2026, 3, 8, tzinfo=UTC)
DAYS = 7
ROWS = 1_000_000
START = END - timedelta(days=DAYS)

_SETTINGS = """
    SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'; SET jit = off;
    SET max_parallel_workers_per_gather = 0; SET statement_timeout = 0;
"""

_VERSION = "INSERT INTO analysis_versions (name, state, activated_at) VALUES ('v1', 'active', now())"

_PLAN = """
    CREATE UNLOGGED TABLE filling AS
    SELECT n, 'conv_' || lpad(to_hex(hashint8(n) & 65535), 4, '0') || lpad(to_hex(n), 12, '0') AS conversation_id,
        md5(n::text)::uuid AS insight_id,
        $1::timestamptz + n * ($2::timestamptz - $1::timestamptz) / $3::bigint AS occurred_at,
        (hashint8(n * 7) & 16383) % 20001 - 10000 AS score,
        ((hashint8(n * 11) & 16383) % 10000) / 10000.0::float8 AS confidence,
        CASE WHEN n % 5000 = 0 THEN 'rare' ELSE (ARRAY['chat', 'mail', 'phone'])[1 + (hashint8(n * 13) & 7) % 3] END
            AS channel,
        CASE WHEN n % 2000 = 1 THEN ARRAY['rare', 'other'] ELSE ARRAY[
            (ARRAY['delivery', 'refund', 'billing', 'account', 'baggage', 'booking', 'seating', 'other'])
            [1 + (hashint8(n * 17) & 7)]] END AS topics
    FROM generate_series(0::bigint, $3::bigint - 1) AS n
"""

_ROWS = {
    "conversation_turns": """
        INSERT INTO conversation_turns (conversation_id, opening, turns)
        SELECT conversation_id, said, json_build_array(json_build_object('role', 'customer', 'text', said))
        FROM filling CROSS JOIN LATERAL (
            SELECT 'My parcel ' || CASE WHEN n % 100 = 3 THEN 'is late by a week'
                WHEN n % 10000 = 5 THEN 'was eaten by a unicorn' ELSE 'has not come' END AS said
        ) words
    """,
    "insights": """
        INSERT INTO insights (insight_id, batch_id, conversation_id, version_id, content_hash, revision_ms,
            revision_offset, lane, occurred_at, channel, sentiment_score, sentiment, confidence, clusters, topics,
            reasoning, evidence, summary, path, model, input_tokens, output_tokens, cost_usd, started_at, analyzed_at,
            stored_at, analyzed_partition, analyzed_offset)
        SELECT insight_id, insight_id, conversation_id, 1, sha256(int8send(n)), 1, n, 'live', occurred_at, channel,
            score / 10000.0, (CASE WHEN score > 2000 THEN 'positive' WHEN score < -2000 THEN 'negative'
                ELSE 'neutral' END)::sentiment,
            confidence, topics, topics, 'The customer waits.', 'has not come', 'A parcel is late.', 'offline', 'v1',
            0, 0, 0, occurred_at, occurred_at, occurred_at, n % 12, n / 12
        FROM filling
    """,
    "current_outcomes": """
        INSERT INTO current_outcomes (conversation_id, version_id, revision_ms, revision_offset, kind, attempts,
            finished_at, shown_revision_ms, shown_revision_offset, shown_kind, insight_id, occurred_at, channel,
            sentiment, score, confidence, topics)
        SELECT conversation_id, 1, 1, n,
            CASE WHEN n % 1000 = 7 THEN 'failed' ELSE 'completed' END::conversation_status, 1, occurred_at, 1, n,
            'completed', insight_id, occurred_at, channel,
            (CASE WHEN score > 2000 THEN 'positive' WHEN score < -2000 THEN 'negative' ELSE 'neutral' END)::sentiment,
            score, confidence, topics
        FROM filling
    """,
    "conversations": """
        INSERT INTO conversations (conversation_id, revision_ms, revision_offset, received_partition, content_hash,
            received_at, occurred_at, channel, language, status, status_at)
        SELECT conversation_id, 1, n, 0, sha256(int8send(n)), occurred_at, occurred_at, channel, 'en',
            CASE WHEN n % 1000 = 7 THEN 'failed' ELSE 'completed' END::conversation_status, occurred_at
        FROM filling
    """,
}


_SENTIMENTS = """
    INSERT INTO rollup_minutes (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT 1, ch.name, s.name, bucket, sum(score), sum(positive), sum(neutral), sum(negative)
    FROM (
        SELECT channel, topics, date_bin('1 minute', occurred_at, '2000-01-01Z') AS bucket, sum(score) AS score,
            count(*) FILTER (WHERE score > 2000) AS positive,
            count(*) FILTER (WHERE score BETWEEN -2000 AND 2000) AS neutral,
            count(*) FILTER (WHERE score < -2000) AS negative
        FROM filling GROUP BY 1, 2, 3
    ) counted
    CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
    CROSS JOIN LATERAL unnest(''::text || topics) AS s (name)
    GROUP BY 2, 3, 4
"""

_STATUSES = """
    INSERT INTO rollup_status_minutes (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT ch.name, bucket, 0, 0, sum(failed), 0, sum(completed)
    FROM (
        SELECT channel, date_bin('1 minute', occurred_at, '2000-01-01Z') AS bucket,
            count(*) FILTER (WHERE n % 1000 = 7) AS failed, count(*) FILTER (WHERE n % 1000 <> 7) AS completed
        FROM filling GROUP BY 1, 2
    ) counted
    CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
    GROUP BY 1, 2
"""

_HOURS = (
    """
    INSERT INTO rollup_hours (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT version_id, channel, subject, date_bin('1 hour', bucket, '2000-01-01Z'), sum(score_sum), sum(positive),
        sum(neutral), sum(negative)
    FROM rollup_minutes GROUP BY 1, 2, 3, 4
    """,
    """
    INSERT INTO rollup_status_hours (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT channel, date_bin('1 hour', bucket, '2000-01-01Z'), sum(queued), sum(processing), sum(failed), sum(skipped),
        sum(completed)
    FROM rollup_status_minutes GROUP BY 1, 2
    """,
)

_ROLLUPS = ("rollup_minutes", "rollup_hours", "rollup_status_minutes", "rollup_status_hours")

_INDEXES = """
    SELECT CASE WHEN p.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, p.conname) END AS remove,
        CASE WHEN p.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, p.conname,
                pg_get_constraintdef(p.oid)) END AS restore
    FROM pg_index i LEFT JOIN pg_constraint p ON p.conindid = i.indexrelid
    WHERE i.indrelid = $1::text::regclass
"""


async def fill(url: str, rows: int = ROWS) -> None:
    """Fill an empty, migrated database; its tables become unlogged, for nothing is to survive a crash."""
    async with asyncpg.create_pool(url, min_size=1, max_size=3, init=_prepare, command_timeout=900) as pool:
        await pool.execute(_VERSION)
        await pool.execute(_PLAN.replace("$1", f"'{START}'").replace("$2", f"'{END}'").replace("$3", str(rows)))
        jobs = [_fill_table(pool, table, statement) for table, statement in _ROWS.items()]
        await asyncio.gather(_fill_rollups(pool), *jobs)
        await pool.execute("DROP TABLE filling")


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.execute(_SETTINGS)


async def _fill_rollups(pool: asyncpg.Pool) -> None:
    for statement in (_SENTIMENTS, _STATUSES, *_HOURS):
        await pool.execute(statement)
    for table in _ROLLUPS:
        await pool.execute(f"VACUUM (ANALYZE) {table}")


async def _fill_table(pool: asyncpg.Pool, table: str, statement: str) -> None:
    """Rows first, then indexes: a third of the time."""
    indexes = await pool.fetch(_INDEXES, table)
    for index in indexes:
        await pool.execute(index["remove"])
    await pool.execute(f"ALTER TABLE {table} SET UNLOGGED")
    await pool.execute(statement)
    for index in indexes:
        await pool.execute(index["restore"])
    await pool.execute(f"VACUUM (ANALYZE) {table}")
