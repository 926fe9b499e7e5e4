"""What the read API asks. Conditions are added by `reads/`; values are always bound."""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

CURSOR_KEY = "SELECT cursor_key FROM installation"

AVAILABLE = """
    SELECT
        (SELECT occurred_at FROM current_outcomes WHERE version_id = $1 AND insight_id IS NOT NULL
            ORDER BY version_id, occurred_at LIMIT 1) AS earliest,
        (SELECT occurred_at FROM current_outcomes WHERE version_id = $1 AND insight_id IS NOT NULL
            ORDER BY version_id DESC, occurred_at DESC LIMIT 1) AS latest
"""

OTHER_VERSIONS = """
    SELECT v.name, c.total
    FROM analysis_versions v CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.positive + r.neutral + r.negative), 0)::bigint AS total FROM rollup_days r
        WHERE r.version_id = v.version_id AND r.channel = '' AND r.subject = ''
    ) c
    WHERE v.version_id IS DISTINCT FROM $1 AND v.state <> 'retired' AND c.total > 0
    ORDER BY v.name
"""

FULL_INSIGHT = """
        i.insight_id, i.conversation_id, i.version_id, i.content_hash, i.revision_ms, i.revision_offset,
        i.sentiment, i.sentiment_score, i.clusters, i.topics, i.confidence, i.reasoning, i.evidence, i.summary,
        i.path, i.model, i.batch_id, i.lane, i.input_tokens, i.output_tokens, i.cost_usd, i.started_at,
        i.analyzed_at, i.stored_at"""

INSIGHT = f"""
    SELECT {FULL_INSIGHT}, i.occurred_at, i.channel, t.opening,
        coalesce(o.insight_id = i.insight_id, false) AS is_current,
        coalesce((o.revision_ms, o.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset)
            OR (c.revision_ms, c.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset), false) AS stale
    FROM insights i
    LEFT JOIN current_outcomes o ON o.conversation_id = i.conversation_id AND o.version_id = i.version_id
    LEFT JOIN conversation_turns t ON t.conversation_id = i.conversation_id
    LEFT JOIN conversations c ON c.conversation_id = i.conversation_id
    WHERE i.insight_id = $1
"""

COMPLETION = """
    SELECT b.insight_id, b.conversation_id, b.batch_id, b.completion
    FROM completions a JOIN completions b ON b.batch_id = a.batch_id
    WHERE a.insight_id = $1 ORDER BY b.conversation_id
"""

CONVERSATION = """
    SELECT c.*, t.opening, t.turns, t.metadata, t.raw
    FROM conversations c JOIN conversation_turns t USING (conversation_id)
    WHERE c.conversation_id = $1
"""

OUTCOMES_OF = """
    SELECT o.*, (o.revision_ms, o.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset) AS is_behind
    FROM current_outcomes o WHERE o.conversation_id = $1
"""

INSIGHTS_OF = f"""
    SELECT {FULL_INSIGHT}, i.occurred_at, i.channel, NULL AS opening, false AS stale
    FROM insights i WHERE i.conversation_id = $1 ORDER BY i.analyzed_at DESC, i.insight_id LIMIT $2
"""

STATUS_COUNTS = """
    SELECT coalesce(sum(queued), 0) AS queued, coalesce(sum(processing), 0) AS processing,
        coalesce(sum(completed), 0) AS completed, coalesce(sum(skipped), 0) AS skipped,
        coalesce(sum(failed), 0) AS failed
    FROM rollup_status_days WHERE channel = ''
"""

OLDEST_UNFINISHED = """
    SELECT conversation_id, unfinished_since FROM conversations
    WHERE unfinished_since IS NOT NULL ORDER BY unfinished_since, conversation_id LIMIT 1
"""

USAGE_OF_DAY = """
    SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(input_tokens + output_tokens), 0) AS tokens,
        coalesce(sum(cost_nanousd), 0) AS cost_nanousd
    FROM daily_usage WHERE day = $1
"""

KNOWN_RESULTS = f"""
    SELECT {FULL_INSIGHT}, i.occurred_at, i.channel, NULL AS opening, false AS stale
    FROM (SELECT DISTINCT content_hash, version_id
        FROM unnest($1::bytea[], $2::smallint[]) AS pair (content_hash, version_id)) n
    CROSS JOIN LATERAL (
        SELECT * FROM insights i
        WHERE i.content_hash = n.content_hash AND i.version_id = n.version_id
            AND NOT EXISTS (SELECT FROM erasures e WHERE e.conversation_id = i.conversation_id
                AND (i.revision_ms, i.revision_offset) <= (e.revision_ms, e.revision_offset))
        LIMIT 1
    ) i
"""
"""One result of each pair, whichever is found first: a greeting may have a million, all alike."""
