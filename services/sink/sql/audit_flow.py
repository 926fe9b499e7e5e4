"""What the audit asks of rows, for a piece of a log at a time: `n` are records, by their number in the piece."""

_ERASED = """EXISTS (
            SELECT FROM erasures e WHERE e.conversation_id = n.conversation_id
            AND (n.revision_ms, n.revision_offset) <= (e.revision_ms, e.revision_offset)
        ) AS is_erased"""
_BURIED = """EXISTS (
            SELECT FROM dead_letters d WHERE d.dead_letter_id = n.letter_id
        ) AS is_buried"""

POSTINGS = f"""
    SELECT n.number, {_ERASED}, {_BURIED},
        coalesce(
            (c.revision_ms, c.revision_offset) >= (n.revision_ms, n.revision_offset)
            OR c.content_hash = n.content_hash, false
        ) AS is_stored,
        coalesce((c.revision_ms, c.revision_offset) = (n.revision_ms, n.revision_offset), false) AS is_newest
    FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::bytea[])
        AS n (number, conversation_id, revision_ms, revision_offset, letter_id, content_hash)
    LEFT JOIN conversations c ON c.conversation_id = n.conversation_id
"""  # noqa: S608 - the pieces are constants of this module
"""Whether the row stands at this posting or a newer one. (A posting that repeats the words changes nothing.)"""

OUTCOMES = f"""
    SELECT n.number, {_ERASED}, {_BURIED},
        EXISTS (
            SELECT FROM current_outcomes o JOIN analysis_versions v ON v.version_id = o.version_id
            WHERE o.conversation_id = n.conversation_id AND v.name = n.version
                AND (o.revision_ms, o.revision_offset) >= (n.revision_ms, n.revision_offset)
        ) AND (n.insight_id IS NULL OR EXISTS (
            SELECT FROM insights i WHERE i.insight_id = n.insight_id
        )) AS is_stored,
        true AS is_newest,
        EXISTS (
            SELECT FROM analysis_versions v WHERE v.name = n.version
                AND (v.state = 'retired' OR v.retired_at > to_timestamp(n.recorded_ms / 1000.0))
        ) AS is_retired
    FROM unnest(
        $1::integer[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::uuid[], $8::bigint[]
    ) AS n (number, conversation_id, revision_ms, revision_offset, letter_id, version, insight_id, recorded_ms)
"""  # noqa: S608 - as above
"""Whether the pointer stands at this outcome's revision or a newer one, and the insight is there; whether its version
is retired, or was when it was recorded."""

STATUSES = """
    SELECT date_bin('1 hour', received_at, '2000-01-01Z') AS hour, status::text AS status, count(*) AS conversations
    FROM conversations GROUP BY 1, 2
"""

UNFINISHED = """
    SELECT c.conversation_id, c.status::text AS status, c.received_at, c.received_partition, c.revision_offset,
        d.dead_letter_id, d.reason
    FROM conversations c
    JOIN unnest($1::integer[], $2::bigint[]) AS n (received_partition, acknowledged)
        ON n.received_partition = c.received_partition AND c.revision_offset < n.acknowledged
    LEFT JOIN LATERAL (
        SELECT l.dead_letter_id, l.reason FROM dead_letters l
        WHERE l.conversation_id = c.conversation_id AND l.state = 'waiting' ORDER BY l.failed_at DESC LIMIT 1
    ) d ON true
    WHERE c.unfinished_since IS NOT NULL
    ORDER BY c.unfinished_since, c.conversation_id
"""
"""Conversations without an outcome that the analyzer has acknowledged."""
