"""How a week of plausible conversations is drawn by Postgres itself: each row is a function of its number.

Busy days and quiet nights, three channels of different weight, eight subjects with a mood and words of their own. One
conversation of 200 was posted again and failed, so that its older insight is shown as stale. Numbers that look random
are hashes, so that two runs fill alike and tables can be filled at the same time without knowing of each other.
"""

DRAWN = """
    SELECT n, 'conv_' || lpad(to_hex(extract(epoch FROM occurred_at)::bigint * 1000), 12, '0')
            || lpad(to_hex(n), 8, '0') AS conversation_id,
        md5('insight ' || n)::uuid AS insight_id, occurred_at, channel, topics,
        greatest(-10000, least(10000, mood + noise - 8192)) AS score, confidence,
        greeting || trouble || ', and my reference is ' || n || '.' AS first_words,
        'I am sorry to hear that. I have looked at reference ' || n || ' and will come back to you.' AS reply,
        last_words
    FROM (
        SELECT n,
            $1::timestamptz + make_interval(secs => $2::float8 * (
                (n + 0.5::float8) / $3::float8
                - 0.5 * sin(2 * pi() * days * (n + 0.5::float8) / $3::float8) / (2 * pi() * days)
            )) AS occurred_at,
            (ARRAY['chat', 'chat', 'chat', 'chat', 'mail', 'mail', 'phone', NULL])[1 + (drawn & 7)] AS channel,
            (ARRAY['Hello. ', 'Good morning. ', 'Hi there, ', ''])[1 + (drawn >> 3 & 3)] AS greeting,
            (ARRAY['That is what I was told last week.', 'Thank you, that helps a lot.', 'I want my money back.',
                'How long will it take?', 'Fine.', 'This is the third time I ask.', 'You have been very kind.',
                'I will tell everybody about this.'])[1 + (drawn >> 5 & 7)] AS last_words,
            (ARRAY['My parcel has not come', 'My money was never paid back', 'My invoice counts one month twice',
                'My password does not work', 'My suitcase was lost', 'My seat was changed without a problem',
                'My coat fits, but a button is loose', 'My order came a day early'])[1 + (drawn >> 8 & 7)] AS trouble,
            (ARRAY[-1500, -2500, -2000, -500, -3000, 1500, 500, 8000])[1 + (drawn >> 8 & 7)] AS mood,
            (ARRAY['{delivery_problems}', '{refunds_and_returns}', '{billing_and_payments}', '{account_access}',
                '{baggage}', '{bookings_and_changes}', '{products}', '{customer_support}',
                '{delivery_problems,customer_support}', '{refunds_and_returns,other}',
                '{billing_and_payments,refunds_and_returns}', '{account_access,app_and_website}',
                '{baggage,delivery_problems}', '{bookings_and_changes,other}', '{products,pricing_and_offers}',
                '{customer_support,delivery_problems}'])
                [1 + (drawn >> 8 & 7) + CASE WHEN drawn >> 11 & 15 = 0 THEN 8 ELSE 0 END]::text[] AS topics,
            (drawn >> 15 & 16383)::integer AS noise,
            (4000 + (drawn >> 29 & 4095)) / 8192.0::float8 AS confidence
        FROM (
            SELECT n, hashint8extended(n, 1) AS drawn, $2::float8 / 86400 AS days
            FROM generate_series($4::bigint, $5::bigint - 1) AS n
        ) numbers
    ) d
"""
"""$1 start, $2 seconds, $3 how many in all, $4 and $5 the numbers to draw."""

_SENTIMENT = "(CASE WHEN score > 2000 THEN 'positive' WHEN score < -2000 THEN 'negative' ELSE 'neutral' END)::sentiment"
_REVISION_MS = "(extract(epoch FROM occurred_at) * 1000)::bigint"
_KIND = "(CASE WHEN n % 200 = 7 THEN 'failed' ELSE 'completed' END)::conversation_status"
_NEWEST_OFFSET = "CASE WHEN n % 200 = 7 THEN n + $3 ELSE n END"

TABLES = {
    "conversations": f"""
        INSERT INTO conversations (conversation_id, revision_ms, revision_offset, received_partition, content_hash,
            received_at, occurred_at, channel, language, status, status_at)
        SELECT conversation_id, {_REVISION_MS}, {_NEWEST_OFFSET}, n % 12, sha256(int8send(n)), occurred_at, occurred_at,
            channel, 'en', {_KIND}, occurred_at + interval '2 seconds'
        FROM drawn
    """,
    "conversation_turns": """
        INSERT INTO conversation_turns (conversation_id, opening, turns)
        SELECT conversation_id, first_words, json_build_array(
            json_build_object('role', 'customer', 'text', first_words),
            json_build_object('role', 'agent', 'text', reply),
            json_build_object('role', 'customer', 'text', last_words))
        FROM drawn
    """,
    "insights": f"""
        INSERT INTO insights (insight_id, batch_id, conversation_id, version_id, content_hash, revision_ms,
            revision_offset, lane, occurred_at, channel, sentiment_score, sentiment, confidence, clusters, topics,
            reasoning, evidence, summary, path, model, input_tokens, output_tokens, cost_usd, started_at, analyzed_at,
            stored_at, analyzed_partition, analyzed_offset)
        SELECT insight_id, md5('batch ' || n / 20)::uuid, conversation_id, 1, sha256(int8send(n)), {_REVISION_MS}, n,
            'live', occurred_at, channel, score / 10000.0, {_SENTIMENT}, confidence, topics, topics,
            'The customer says: “' || last_words || '”', left(first_words, 60), left(first_words, 200), 'offline',
            'offline-2', 0, 0, 0, occurred_at + interval '1 second', occurred_at + interval '1 second',
            occurred_at + interval '2 seconds', n % 12, n / 12
        FROM drawn
    """,
    "current_outcomes": f"""
        INSERT INTO current_outcomes (conversation_id, version_id, revision_ms, revision_offset, kind, attempts,
            finished_at, shown_revision_ms, shown_revision_offset, shown_kind, insight_id, occurred_at, channel,
            sentiment, score, confidence, topics)
        SELECT conversation_id, 1, {_REVISION_MS}, {_NEWEST_OFFSET}, {_KIND}, 1, occurred_at + interval '2 seconds',
            {_REVISION_MS}, n, 'completed', insight_id, occurred_at, channel, {_SENTIMENT}, score, confidence, topics
        FROM drawn
    """,
}
"""What fills each table from the rows `drawn`."""

_MINUTES = """
    INSERT INTO rollup_minutes (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT 1, ch.name, s.name, bucket, sum(score), sum(positive), sum(neutral), sum(negative)
    FROM (
        SELECT channel, topics, date_bin('1 minute', occurred_at, '2000-01-01Z') AS bucket, sum(score) AS score,
            count(*) FILTER (WHERE sentiment = 'positive') AS positive,
            count(*) FILTER (WHERE sentiment = 'neutral') AS neutral,
            count(*) FILTER (WHERE sentiment = 'negative') AS negative
        FROM current_outcomes GROUP BY 1, 2, 3
    ) counted
    CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
    CROSS JOIN LATERAL unnest(''::text || topics) AS s (name)
    WHERE ch.name IS NOT NULL GROUP BY 2, 3, 4 ORDER BY 4
"""
_STATUS_MINUTES = """
    INSERT INTO rollup_status_minutes (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT ch.name, bucket, 0, 0, sum(failed), 0, sum(completed)
    FROM (
        SELECT channel, date_bin('1 minute', occurred_at, '2000-01-01Z') AS bucket,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'completed') AS completed
        FROM conversations GROUP BY 1, 2
    ) counted
    CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
    WHERE ch.name IS NOT NULL GROUP BY 1, 2 ORDER BY 2
"""
_HOURS = """
    INSERT INTO rollup_hours (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT version_id, channel, subject, date_bin('1 hour', bucket, '2000-01-01Z'), sum(score_sum), sum(positive),
        sum(neutral), sum(negative)
    FROM rollup_minutes GROUP BY 1, 2, 3, 4 ORDER BY 4
"""
_STATUS_HOURS = """
    INSERT INTO rollup_status_hours (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT channel, date_bin('1 hour', bucket, '2000-01-01Z'), sum(queued), sum(processing), sum(failed), sum(skipped),
        sum(completed)
    FROM rollup_status_minutes GROUP BY 1, 2 ORDER BY 2
"""
_DAYS = (
    _HOURS.replace("rollup_hours", "rollup_days").replace("rollup_minutes", "rollup_hours").replace("1 hour", "1 day")
)
_STATUS_DAYS = (
    _STATUS_HOURS.replace("status_hours", "status_days")
    .replace("status_minutes", "status_hours")
    .replace("1 hour", "1 day")
)
_COVERAGE = """
    INSERT INTO coverage_hours (version_id, bucket, completed, skipped, failed)
    SELECT o.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z'),
        count(*) FILTER (WHERE o.kind = 'completed'), count(*) FILTER (WHERE o.kind = 'skipped'),
        count(*) FILTER (WHERE o.kind = 'failed')
    FROM conversations c JOIN current_outcomes o ON o.conversation_id = c.conversation_id
        AND (o.revision_ms, o.revision_offset) >= (c.revision_ms, c.revision_offset)
    GROUP BY 1, 2
"""
ROLLUPS = (_MINUTES, _STATUS_MINUTES, _HOURS, _STATUS_HOURS, _DAYS, _STATUS_DAYS, _COVERAGE)
"""Counts of the rows that are there, in this order; cells lie by time, as they do where a sink has stored them."""
ROLLUP_TABLES = (
    "rollup_minutes",
    "rollup_hours",
    "rollup_days",
    "rollup_status_minutes",
    "rollup_status_hours",
    "rollup_status_days",
    "coverage_hours",
)

INDEXES = """
    SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END AS drop,
        CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname,
                pg_get_constraintdef(c.oid)) END AS create,
        i.indexrelid::regclass::text AS name
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
    WHERE i.indrelid = $1::text::regclass ORDER BY i.indexrelid
"""
"""A table's indexes: what drops each, and what makes it anew."""
