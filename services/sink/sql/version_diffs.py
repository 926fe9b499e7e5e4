"""Two versions over the same conversations: what they say of the newest revision, where both have completed it."""

WHOLE_TABLES = "SET LOCAL work_mem = '64MB'; SET LOCAL statement_timeout = '60s'"

DIFF = """
    WITH pairs AS MATERIALIZED (
        SELECT a.conversation_id, a.sentiment AS sentiment_a, b.sentiment AS sentiment_b, a.score AS score_a,
            b.score AS score_b, a.topics AS topics_a, b.topics AS topics_b
        FROM current_outcomes a
        JOIN current_outcomes b ON b.conversation_id = a.conversation_id AND b.version_id = $2
        JOIN conversations c ON c.conversation_id = a.conversation_id
        WHERE a.version_id = $1 AND a.insight_id IS NOT NULL AND a.occurred_at >= $3 AND a.occurred_at < $4
            AND a.kind = 'completed' AND (a.revision_ms, a.revision_offset) >= (c.revision_ms, c.revision_offset)
            AND b.kind = 'completed' AND (b.revision_ms, b.revision_offset) >= (c.revision_ms, c.revision_offset)
    ), topics AS (
        SELECT topic, sum(in_a)::bigint AS in_a, sum(in_b)::bigint AS in_b
        FROM (
            SELECT topic, count(*) AS in_a, 0 AS in_b FROM pairs, unnest(topics_a) AS topic GROUP BY 1
            UNION ALL
            SELECT topic, 0, count(*) FROM pairs, unnest(topics_b) AS topic GROUP BY 1
        ) counted
        GROUP BY topic
    )
    SELECT 'sentiments' AS part, sentiment_a::text AS name, sentiment_b::text AS other, count(*) AS total,
        count(*) AS total_b, sum(score_a)::bigint AS sum_a, sum(score_b)::bigint AS sum_b,
        sum(score_a::bigint * score_a)::bigint AS squares_a, sum(score_b::bigint * score_b)::bigint AS squares_b,
        sum(score_a::bigint * score_b)::bigint AS products
    FROM pairs GROUP BY 2, 3
    UNION ALL (
        SELECT 'topics', topic, NULL, in_a, in_b, 0, 0, 0, 0, 0 FROM topics
        ORDER BY abs(in_a - in_b) DESC, topic LIMIT $6
    )
    UNION ALL (
        SELECT 'conversations', conversation_id, NULL, 0, 0, score_a, score_b, 0, 0, 0 FROM pairs
        WHERE score_a <> score_b OR sentiment_a <> sentiment_b
        ORDER BY abs(score_a - score_b) DESC, conversation_id LIMIT $5
    )
"""
"""Sentiments from → to with what their correlation is made of; topics that moved; who is disagreed on most."""

QUOTES = """
    SELECT o.conversation_id, o.version_id, o.occurred_at, o.channel, i.insight_id, i.sentiment, i.sentiment_score,
        i.evidence, i.reasoning, i.topics
    FROM unnest($1::text[]) AS n (conversation_id)
    CROSS JOIN LATERAL (
        SELECT * FROM current_outcomes p WHERE p.conversation_id = n.conversation_id
            AND p.version_id = ANY ($2::smallint[]) LIMIT 2
    ) o
    CROSS JOIN LATERAL (SELECT * FROM insights f WHERE f.insight_id = o.insight_id LIMIT 1) i
"""
