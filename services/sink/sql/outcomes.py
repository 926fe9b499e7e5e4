"""What outcomes write: insights, pointers and rollups.

Rows are sorted by key in every statement, and every writer takes its locks in one order: offsets, insights, daily
usage, pointers, their rollups, conversations, their rollups, dead letters. Rollups change in the statement that moves
the row they count, by what that row was before and is after (RETURNING old, new: Postgres 18).
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.erasures import NOT_ERASED


def _count_usage(rows: str, *, at: str) -> str:
    """Add what the rows `n` took, together, to the days on which their column `at` lies."""
    return f"""
        INSERT INTO daily_usage AS d (day, version_id, input_tokens, output_tokens, cost_nanousd)
        SELECT (n.{at} AT TIME ZONE 'UTC')::date, n.version_id,
            sum(n.input_tokens), sum(n.output_tokens), sum(round(n.cost_usd * 1e9)::bigint)
        FROM {rows}
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (day, version_id) DO UPDATE SET
            input_tokens = d.input_tokens + excluded.input_tokens,
            output_tokens = d.output_tokens + excluded.output_tokens,
            cost_nanousd = d.cost_nanousd + excluded.cost_nanousd
    """


INSIGHTS = f"""
    WITH stored AS (
        INSERT INTO insights (
            insight_id, conversation_id, version_id, content_hash, revision_ms, revision_offset, lane, occurred_at,
            channel, sentiment_score, sentiment, confidence, clusters, topics, reasoning, evidence, summary,
            path, model, batch_id, input_tokens, output_tokens, cost_usd, started_at, analyzed_at,
            analyzed_partition, analyzed_offset
        )
        SELECT
            insight_id, conversation_id, version_id, content_hash, revision_ms, revision_offset, lane, occurred_at,
            channel, sentiment_score, sentiment::sentiment, confidence, string_to_array(clusters, ','),
            string_to_array(topics, ','), reasoning, evidence, summary,
            path, model, batch_id, input_tokens, output_tokens, cost_usd, started_at, analyzed_at,
            analyzed_partition, analyzed_offset
        FROM unnest(
            $1::uuid[], $2::text[], $3::smallint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::text[],
            $8::timestamptz[], $9::text[], $10::float8[], $11::text[], $12::float8[], $13::text[], $14::text[],
            $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::uuid[], $21::integer[],
            $22::integer[], $23::float8[], $24::timestamptz[], $25::timestamptz[], $27::integer[], $28::bigint[]
        ) WITH ORDINALITY AS n (
            insight_id, conversation_id, version_id, content_hash, revision_ms, revision_offset, lane, occurred_at,
            channel, sentiment_score, sentiment, confidence, clusters, topics, reasoning, evidence, summary,
            path, model, batch_id, input_tokens, output_tokens, cost_usd, started_at, analyzed_at,
            analyzed_partition, analyzed_offset, place
        )
        WHERE {NOT_ERASED}
        ORDER BY insight_id, place
        ON CONFLICT (insight_id) DO NOTHING
        RETURNING insight_id, version_id, analyzed_at, input_tokens, output_tokens, cost_usd
    ), kept AS (
        INSERT INTO completions (insight_id, batch_id, conversation_id, completion)
        SELECT c.insight_id, c.batch_id, c.conversation_id, c.completion
        FROM unnest($1::uuid[], $20::uuid[], $2::text[], $26::text[])
            AS c (insight_id, batch_id, conversation_id, completion)
        WHERE c.completion IS NOT NULL AND (c.insight_id IN (SELECT insight_id FROM stored)) IS TRUE
        ORDER BY c.insight_id
        ON CONFLICT (insight_id) DO NOTHING
    ), used AS (
        {_count_usage("stored n WHERE n.input_tokens > 0 OR n.output_tokens > 0 OR n.cost_usd > 0", at="analyzed_at")}
    )
    SELECT count(*) FROM stored
"""
"""Keep the first insight of each id, its part of the completion, and what it took. Gives how many are new."""

_NEWEST = "revision_ms, revision_offset, kind, reason, detail, attempts, finished_at"
_SHOWN = (
    "shown_revision_ms, shown_revision_offset, shown_kind, insight_id, occurred_at, channel, sentiment, score, "
    "confidence, topics"
)


_KEPT_WITH_THE_INSIGHT = ("occurred_at", "channel")
"""The same content posted again changes nothing that is seen: it keeps the time and place of its first posting."""


def _arrived(name: str) -> str:
    if name in _KEPT_WITH_THE_INSIGHT:
        return f"CASE WHEN c.insight_id = excluded.insight_id THEN c.{name} ELSE excluded.{name} END"
    return f"excluded.{name}"


def _greater(columns: str, order: str) -> str:
    """Of the stored and the arrived values the greater by `order`; of equals the stored."""
    stored = ", ".join(f"c.{name.strip()}" for name in columns.split(","))
    arrived = ", ".join(_arrived(name.strip()) for name in columns.split(","))
    return f"""(
            SELECT {columns} FROM (VALUES ({stored}, 1), ({arrived}, 0)) AS v ({columns}, is_stored)
            ORDER BY {order}, is_stored DESC LIMIT 1
        )"""


_INSERT_CELLS = """
    ORDER BY 1, 2, 3, 4
        ON CONFLICT (version_id, channel, subject, bucket) DO UPDATE SET
            score_sum = r.score_sum + excluded.score_sum,
            positive = r.positive + excluded.positive,
            neutral = r.neutral + excluded.neutral,
            negative = r.negative + excluded.negative"""

RETURN_SHOWN = """
            old.insight_id AS old_insight_id, old.occurred_at AS old_occurred_at, old.channel AS old_channel,
            old.topics AS old_topics, old.sentiment AS old_sentiment, old.score AS old_score,
            new.insight_id AS new_insight_id, new.occurred_at AS new_occurred_at, new.channel AS new_channel,
            new.topics AS new_topics, new.sentiment AS new_sentiment, new.score AS new_score"""

COUNT_SHOWN = f""", changes AS (
        SELECT version_id, new_occurred_at AS occurred_at, new_channel AS channel, new_topics AS topics,
            new_sentiment AS sentiment, new_score AS score, 1 AS sign
        FROM moved WHERE new_insight_id IS NOT NULL
        UNION ALL
        SELECT version_id, old_occurred_at, old_channel, old_topics, old_sentiment, old_score, -1
        FROM moved WHERE old_insight_id IS NOT NULL
    ), cells AS MATERIALIZED (
        SELECT version_id, ch.name AS channel, s.name AS subject,
            date_bin('1 minute', occurred_at, '2000-01-01Z') AS minute,
            sum(sign * score) AS score_sum,
            sum(CASE WHEN sentiment = 'positive' THEN sign ELSE 0 END) AS positive,
            sum(CASE WHEN sentiment = 'neutral' THEN sign ELSE 0 END) AS neutral,
            sum(CASE WHEN sentiment = 'negative' THEN sign ELSE 0 END) AS negative
        FROM changes
        CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
        CROSS JOIN LATERAL unnest(''::text || topics) AS s (name)
        WHERE ch.name IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ), minutes AS (
        INSERT INTO rollup_minutes AS r (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
        SELECT version_id, channel, subject, minute, score_sum, positive, neutral, negative FROM cells
        WHERE score_sum <> 0 OR positive <> 0 OR neutral <> 0 OR negative <> 0
        {_INSERT_CELLS}
    ), hours AS (
        INSERT INTO rollup_hours AS r (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
        SELECT version_id, channel, subject, date_bin('1 hour', minute, '2000-01-01Z'),
            sum(score_sum), sum(positive), sum(neutral), sum(negative)
        FROM cells GROUP BY 1, 2, 3, 4
        HAVING sum(score_sum) <> 0 OR sum(positive) <> 0 OR sum(neutral) <> 0 OR sum(negative) <> 0
        {_INSERT_CELLS}
    )
    SELECT count(*) FROM moved
"""
"""Take what rows of `moved` showed before out of the rollups, and put in what they show now."""

OUTCOMES = f"""
    WITH moved AS (
        INSERT INTO current_outcomes AS c (conversation_id, version_id, {_NEWEST}, {_SHOWN})
        SELECT
            n.conversation_id, n.version_id, n.revision_ms, n.revision_offset, n.kind::conversation_status, n.reason,
            n.detail, n.attempts, n.finished_at, n.shown_revision_ms, n.shown_revision_offset,
            n.shown_kind::conversation_status, i.insight_id,
            CASE WHEN i.insight_id IS NOT NULL THEN n.occurred_at END,
            CASE WHEN i.insight_id IS NOT NULL THEN n.channel END,
            i.sentiment, round(i.sentiment_score * 10000), i.confidence, i.topics
        FROM unnest(
            $1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[],
            $9::timestamptz[], $10::bigint[], $11::bigint[], $12::text[], $13::uuid[], $14::timestamptz[], $15::text[]
        ) AS n (
            conversation_id, version_id, revision_ms, revision_offset, kind, reason, detail, attempts,
            finished_at, shown_revision_ms, shown_revision_offset, shown_kind, insight_id, occurred_at, channel
        )
        LEFT JOIN insights i ON i.insight_id = n.insight_id
        WHERE {NOT_ERASED}
        ORDER BY n.conversation_id, n.version_id
        ON CONFLICT (conversation_id, version_id) DO UPDATE SET
        ({_NEWEST}) = {_greater(_NEWEST, "revision_ms DESC, revision_offset DESC, kind DESC")},
        ({_SHOWN}) = {
    _greater(
        _SHOWN,
        "shown_revision_ms DESC NULLS LAST, shown_revision_offset DESC NULLS LAST, shown_kind DESC NULLS LAST",
    )
}
        WHERE (excluded.revision_ms, excluded.revision_offset, excluded.kind)
                > (c.revision_ms, c.revision_offset, c.kind)
            OR (excluded.shown_kind IS NOT NULL AND (
                c.shown_kind IS NULL
                OR (excluded.shown_revision_ms, excluded.shown_revision_offset, excluded.shown_kind)
                    > (c.shown_revision_ms, c.shown_revision_offset, c.shown_kind)
            ))
        RETURNING
            new.version_id AS version_id,{RETURN_SHOWN}
    ){COUNT_SHOWN}
"""
"""Move pointers to what is newer, and the rollups with them. Gives how many moved."""

CALLS = """
    INSERT INTO daily_usage AS d (day, version_id, calls)
    SELECT day, version_id, count(*)
    FROM unnest($1::date[], $2::smallint[]) AS n (day, version_id)
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (day, version_id) DO UPDATE SET calls = d.calls + excluded.calls
"""
"""Count the calls of a day."""

SPENT_IN_VAIN = _count_usage(
    """(
        SELECT DISTINCT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::smallint[], $4::timestamptz[], $5::integer[], $6::integer[], $7::float8[]
        ) AS n (insight_id, batch_id, version_id, analyzed_at, input_tokens, output_tokens, cost_usd)
    ) n
    LEFT JOIN LATERAL (SELECT k.batch_id FROM insights k WHERE k.insight_id = n.insight_id LIMIT 1) i ON true
    WHERE i.batch_id IS DISTINCT FROM n.batch_id
    """,
    at="analyzed_at",
)
"""What answers took that were paid for and are not kept: under a retired version, of an erased conversation, or because
another answer for the same came first. Run after INSIGHTS; each record is counted once, as its offset moves once."""

SPENT_ON_FAILURES = _count_usage(
    """(
        SELECT DISTINCT * FROM unnest(
            $1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::integer[], $7::integer[],
            $8::float8[]
        ) AS n (
            conversation_id, version_id, revision_ms, revision_offset, failed_at, input_tokens, output_tokens, cost_usd
        )
    ) n
    WHERE NOT EXISTS (
        SELECT FROM current_outcomes c
        WHERE c.conversation_id = n.conversation_id AND c.version_id = n.version_id AND c.kind = 'failed'
            AND (c.revision_ms, c.revision_offset, c.finished_at) = (n.revision_ms, n.revision_offset, n.failed_at)
    )
    """,
    at="failed_at",
)
"""What was spent on conversations that failed. Run before OUTCOMES: a copy of a failure says the same again, of the
same moment; a second failure of the same revision was paid for again."""
