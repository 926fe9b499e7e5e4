"""What is old enough to leave.

Conversations are walked by the index of their times, each page from where the last one ended, so that a pass costs one
walk however much has left already.
"""

# ruff: noqa: S608 - the pieces put together are constants of this module

WALK = """
    SELECT occurred_at AS moment, conversation_id, received_at < $1 AND unfinished_since IS NULL AS is_due
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


def _outcomes(moment: str, which: str) -> str:
    return f"""
    SELECT o.moment, o.conversation_id, o.is_old AND c.conversation_id IS NULL AS is_due
    FROM (
        SELECT {moment} AS moment, conversation_id, finished_at < $1 AS is_old FROM current_outcomes
        WHERE version_id = $5 AND {which} AND {moment} < $1 + interval '1 day'
            AND ({moment}, conversation_id) > ($2, $3)
        ORDER BY {moment}, conversation_id LIMIT $4
    ) o
    LEFT JOIN LATERAL (
        SELECT k.conversation_id FROM conversations k WHERE k.conversation_id = o.conversation_id LIMIT 1
    ) c ON true
    ORDER BY o.moment, o.conversation_id
    """


OUTCOMES = (
    _outcomes("occurred_at", "insight_id IS NOT NULL"),
    _outcomes("finished_at", "kind = 'failed'"),
    _outcomes("finished_at", "kind = 'skipped'"),
)
"""Outcomes without a conversation: it has left, and the outcome was delivered again (a redrive, a second answer). What
is finished as long ago as that is not waiting for its conversation any more. Walked like conversations, a version at a
time."""

STILL_ORPHANS = """
    SELECT n.conversation_id FROM unnest($2::text[]) AS n (conversation_id)
    WHERE NOT EXISTS (SELECT FROM conversations c WHERE c.conversation_id = n.conversation_id)
        AND NOT EXISTS (
            SELECT FROM current_outcomes o WHERE o.conversation_id = n.conversation_id AND o.finished_at >= $1
        )
    ORDER BY n.conversation_id
"""
"""Those that have no conversation and no younger outcome."""

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
