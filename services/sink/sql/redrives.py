"""What sending dead letters again and dropping them read and write.

A letter goes waiting → sending → redriven, or waiting → dropped. Only who holds `LOCK` moves letters to and from
`sending`, so a letter that is found in it by the next holder was left there by one who was stopped.
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

LOCK = "SELECT pg_try_advisory_lock(7564657276)"
"""Whether this connection is the only one that sends dead letters now; it ends with the connection."""

SENDABLE = """NOT d.is_truncated AND coalesce(octet_length(d.record_key), 0) < 65536
        AND d.origin_topic IN ('conversations.received.v1', 'conversations.replay.v1', 'conversations.analyzed.v1')"""
"""The condition that `redriving.copies.why_not_sendable` explains."""

_NOT_ERASED = """NOT EXISTS (
            SELECT FROM erasures e WHERE e.conversation_id = d.conversation_id
            AND (d.origin_timestamp_ms, d.origin_offset) <= (e.revision_ms, e.revision_offset)
        )"""

_OPEN_TO = f"""{{conditions}}
        AND d.state IN ('waiting', 'dropped') AND d.stored_at <= {{stored_until}} AND {_NOT_ERASED}
        AND NOT EXISTS (
            SELECT FROM dead_letter_steps s WHERE s.dead_letter_id = d.dead_letter_id AND s.action_id = {{action_id}}
        )"""
"""Letters of a selection that an action has not dealt with. What failed after its start, or after the
moment at which its letters were counted, is not meant by it, else a record that fails again at once would be sent for
ever, or by the next redrive that somebody had agreed to before."""

PREVIEW = f"""
    SELECT d.origin_topic, d.reason, ({SENDABLE}) AS is_sendable, count(*) AS letters,
        coalesce(sum(d.original_size), 0)::bigint AS bytes
    FROM dead_letters d WHERE {_OPEN_TO}
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

ACTION = "SELECT kind, selection, started_at FROM dead_letter_actions WHERE action_id = $1"

NOW = "SELECT now()"
"""When the transaction began: what it cannot see yet was stored later, or is just being stored."""

BEGIN = """
    INSERT INTO dead_letter_actions AS a
        (action_id, kind, done_by, note, selection, started_at, log_ends)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (action_id) DO UPDATE SET acted_at = clock_timestamp(), log_ends = excluded.log_ends
"""

CHOOSE = f"""
    WITH chosen AS MATERIALIZED (
        SELECT d.dead_letter_id, d.failed_at, d.original_size::bigint AS size FROM dead_letters d
        WHERE {_OPEN_TO} AND {SENDABLE}
        ORDER BY d.failed_at, d.dead_letter_id LIMIT {{limit}} FOR UPDATE SKIP LOCKED
    ), fitting AS (
        SELECT dead_letter_id FROM (
            SELECT dead_letter_id, size, sum(size) OVER (ORDER BY failed_at, dead_letter_id) AS total FROM chosen
        ) sized
        WHERE total - size < {{most_bytes}}
    )
    UPDATE dead_letters d SET state = 'sending', action_id = {{action_id}} FROM fitting f
    WHERE d.dead_letter_id = f.dead_letter_id
    RETURNING d.dead_letter_id, d.failed_at, d.origin_topic, d.origin_timestamp_ms, d.origin_offset, d.sha256,
        d.record_key, d.record_value, d.header_names, d.header_values
"""

SENDING = """
    SELECT d.dead_letter_id, d.origin_topic, d.action_id, a.log_ends,
        extract(epoch FROM clock_timestamp() - a.acted_at)::double precision AS age_seconds
    FROM dead_letters d JOIN dead_letter_actions a ON a.action_id = d.action_id
    WHERE d.state = 'sending'
"""

RECORD_SENT = """
    WITH sent (dead_letter_id, sent_partition, sent_offset) AS (
        SELECT * FROM unnest($2::uuid[], $3::integer[], $4::bigint[])
    ), moved AS (
        UPDATE dead_letters d SET state = 'redriven' FROM sent s
        WHERE d.dead_letter_id = s.dead_letter_id AND d.state = 'sending' AND d.action_id = $1
        RETURNING d.dead_letter_id, s.sent_partition, s.sent_offset
    )
    INSERT INTO dead_letter_steps (dead_letter_id, action_id, step, sent_partition, sent_offset)
    SELECT dead_letter_id, $1, 'redriven', sent_partition, sent_offset FROM moved
"""

RECORD_REFUSED = """
    WITH refused (dead_letter_id, problem) AS (
        SELECT * FROM unnest($2::uuid[], $3::text[])
    ), moved AS (
        UPDATE dead_letters d SET state = 'waiting' FROM refused r
        WHERE d.dead_letter_id = r.dead_letter_id AND d.state = 'sending' AND d.action_id = $1
        RETURNING d.dead_letter_id, r.problem
    )
    INSERT INTO dead_letter_steps (dead_letter_id, action_id, step, problem)
    SELECT dead_letter_id, $1, 'refused', problem FROM moved
"""

RELEASE = """
    UPDATE dead_letters SET state = 'waiting'
    WHERE dead_letter_id = ANY ($2::uuid[]) AND state = 'sending' AND action_id = $1
"""

DROP = f"""
    WITH chosen AS MATERIALIZED (
        SELECT d.dead_letter_id FROM dead_letters d WHERE {_OPEN_TO} AND d.state = 'waiting'
        ORDER BY d.failed_at, d.dead_letter_id LIMIT {{limit}} FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE dead_letters d SET state = 'dropped', action_id = {{action_id}} FROM chosen c
        WHERE d.dead_letter_id = c.dead_letter_id
        RETURNING d.dead_letter_id
    ), noted AS (
        INSERT INTO dead_letter_steps (dead_letter_id, action_id, step)
        SELECT dead_letter_id, {{action_id}}, 'dropped' FROM moved
        RETURNING 1
    )
    SELECT count(*) FROM noted
"""

COUNT_OPEN = f"""
    SELECT count(*) FILTER (WHERE is_sendable) AS sendable, count(*) FILTER (WHERE NOT is_sendable) AS unsendable
    FROM (SELECT ({SENDABLE}) AS is_sendable FROM dead_letters d WHERE {_OPEN_TO} LIMIT {{limit}}) open
"""

FORGET_EMPTY = """
    DELETE FROM dead_letter_actions a WHERE a.action_id = $1
        AND NOT EXISTS (SELECT FROM dead_letter_steps s WHERE s.action_id = a.action_id)
"""
"""An action that met no letter is no history."""
