"""Who must be forgotten: the condition that every write of a conversation carries, and how it comes about."""

NOT_ERASED = """NOT EXISTS (
            SELECT FROM erasures e WHERE e.conversation_id = n.conversation_id
            AND (n.revision_ms, n.revision_offset) <= (e.revision_ms, e.revision_offset)
        )"""
"""For rows called `n` with a conversation_id and a revision."""

ERASE = """
    INSERT INTO erasures AS e (conversation_id, revision_ms, revision_offset, erased_at)
    SELECT $1, known.revision_ms, known.revision_offset, clock_timestamp()
    FROM (
        SELECT revision_ms, revision_offset FROM conversations WHERE conversation_id = $1
        UNION ALL SELECT revision_ms, revision_offset FROM current_outcomes WHERE conversation_id = $1
        UNION ALL SELECT revision_ms, revision_offset FROM insights WHERE conversation_id = $1
        UNION ALL SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, 9223372036854775807
    ) known (revision_ms, revision_offset)
    ORDER BY 2 DESC, 3 DESC LIMIT 1
    ON CONFLICT (conversation_id) DO UPDATE SET
        revision_ms = excluded.revision_ms, revision_offset = excluded.revision_offset, erased_at = excluded.erased_at
    WHERE (excluded.revision_ms, excluded.revision_offset) > (e.revision_ms, e.revision_offset)
"""
"""Everything of a conversation ($1) that is known, or was accepted up to now, is not to be stored again."""

KNOWN = """
    SELECT EXISTS (SELECT FROM conversations WHERE conversation_id = $1)
        OR EXISTS (SELECT FROM current_outcomes WHERE conversation_id = $1)
        OR EXISTS (SELECT FROM insights WHERE conversation_id = $1)
        OR EXISTS (SELECT FROM dead_letters WHERE conversation_id = $1)
        OR EXISTS (SELECT FROM erasures WHERE conversation_id = $1)
"""
"""Whether anything was ever heard of a conversation ($1), its erasure included."""

ALL = "SELECT conversation_id, revision_ms, revision_offset FROM erasures ORDER BY erased_at, conversation_id"

AGAIN = """
    INSERT INTO erasures AS e (conversation_id, revision_ms, revision_offset, erased_at)
    VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT (conversation_id) DO UPDATE SET
        revision_ms = excluded.revision_ms, revision_offset = excluded.revision_offset, erased_at = excluded.erased_at
    WHERE (excluded.revision_ms, excluded.revision_offset) > (e.revision_ms, e.revision_offset)
    RETURNING 1
"""
"""An erasure that was made before, up to the revision of then; gives nothing when it is known already."""

DEAD_LETTERS = """
    WITH removed AS (
        DELETE FROM dead_letters
        WHERE conversation_id = $1
            OR position(convert_to('"' || $1 || '"', 'UTF8') IN coalesce(record_value, '')) > 0
        RETURNING 1
    )
    SELECT count(*) FROM removed
"""
"""Dead letters of the conversation: by their key, or because they name it (what could not be decoded, or came under
a wrong key, may hold its words too)."""
