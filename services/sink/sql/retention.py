"""What is old enough to leave.

Conversations are walked by the index of their times, each page from where the last one ended, so that a pass costs one
walk however much has left already.
"""

WALK = """
    SELECT conversation_id, occurred_at, received_at < $1 AND unfinished_since IS NULL AS is_due
    FROM conversations
    WHERE occurred_at < $1 + interval '1 day' AND (occurred_at, conversation_id) > ($2, $3)
    ORDER BY occurred_at, conversation_id LIMIT $4
"""
"""A conversation occurred before it was received, or at most minutes later by another clock: no due one is left out.
One that has no outcome yet stays until it has: nothing disappears."""

STILL_DUE = """
    SELECT conversation_id FROM conversations
    WHERE conversation_id = ANY ($2::text[]) AND received_at < $1 AND unfinished_since IS NULL
    ORDER BY conversation_id FOR UPDATE
"""
"""Those that nobody has posted again meanwhile."""

DEAD_LETTERS = """
    WITH removed AS (
        DELETE FROM dead_letters WHERE dead_letter_id = ANY (ARRAY(
            SELECT d.dead_letter_id FROM dead_letters d WHERE d.failed_at < $1
            ORDER BY d.failed_at, d.dead_letter_id LIMIT $2
        ))
        RETURNING 1
    )
    SELECT count(*) FROM removed
"""

LOCK = "SELECT pg_try_advisory_xact_lock(7564657275)"
"""Whether this transaction is the only one that removes now."""
