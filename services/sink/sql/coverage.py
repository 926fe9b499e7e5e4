"""How much a version lacks: conversations whose newest revision has no outcome under it, counted and found.

Migration 0005 says how what is covered is counted: by triggers, into changes that are folded into hours.
"""

FOLD = """
    WITH gone AS (
        DELETE FROM coverage_changes RETURNING version_id, bucket, completed, skipped, failed
    )
    INSERT INTO coverage_hours AS h (version_id, bucket, completed, skipped, failed)
    SELECT version_id, bucket, coalesce(sum(completed), 0), coalesce(sum(skipped), 0), coalesce(sum(failed), 0)
    FROM gone GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (version_id, bucket) DO UPDATE SET
        completed = h.completed + excluded.completed, skipped = h.skipped + excluded.skipped,
        failed = h.failed + excluded.failed
"""
"""A reader sees the changes or their sum, never both. One at a time: LOCK_FOLD."""

LOCK_FOLD = "SELECT pg_try_advisory_xact_lock(7564657277)"

COVERED = """
    SELECT version_id, sum(completed)::bigint AS completed, sum(skipped)::bigint AS skipped,
        sum(failed)::bigint AS failed
    FROM coverage GROUP BY version_id
"""

COVERED_BY = """
    SELECT coalesce(sum(completed + skipped + failed), 0)::bigint FROM (
        SELECT completed, skipped, failed FROM coverage_hours WHERE version_id = $1
        UNION ALL
        SELECT coalesce(completed, 0), coalesce(skipped, 0), coalesce(failed, 0) FROM coverage_changes
        WHERE version_id = $1
    ) counted
"""

LACKING_HOURS = """
    SELECT s.bucket
    FROM rollup_status_hours s
    LEFT JOIN coverage c ON c.version_id = $1 AND c.bucket = s.bucket
    WHERE s.channel = '' AND s.bucket >= $2
        AND s.queued + s.processing + s.failed + s.skipped + s.completed
            > coalesce(c.completed + c.skipped + c.failed, 0)
    ORDER BY s.bucket LIMIT $3
"""
"""Hours from $2 on in which conversations lack an outcome under a version."""

WALK = """
    SELECT c.occurred_at, c.conversation_id, c.revision_ms, c.revision_offset, c.received_at, o.version_id IS NULL
        AS is_missing
    FROM (
        SELECT occurred_at, conversation_id, revision_ms, revision_offset, received_at FROM conversations
        WHERE occurred_at < $2 AND (occurred_at, conversation_id) > ($3, $4)
        ORDER BY occurred_at, conversation_id LIMIT $5
    ) c
    LEFT JOIN LATERAL (
        SELECT p.version_id FROM current_outcomes p
        WHERE p.conversation_id = c.conversation_id AND p.version_id = $1
            AND (p.revision_ms, p.revision_offset) >= (c.revision_ms, c.revision_offset)
        LIMIT 1
    ) o ON true
    ORDER BY c.occurred_at, c.conversation_id
"""
"""Conversations of an hour behind ($3, $4), and which of them lack an outcome under $1; at most $5 are looked at."""

COSTS = """
    SELECT version_id, sum(calls)::bigint AS calls, sum(input_tokens + output_tokens)::bigint AS tokens,
        sum(cost_nanousd)::bigint AS cost_nanousd
    FROM daily_usage GROUP BY version_id
"""
