"""What the read API asks of dead letters."""

GROUPS = """
    SELECT g.*, e.dead_letter_id, e.detail, e.service
    FROM (
        SELECT d.state, d.origin_topic, d.reason, d.fingerprint, count(*) AS letters,
            min(d.failed_at) AS first_seen, max(d.failed_at) AS last_seen
        FROM dead_letters d WHERE {conditions}
        GROUP BY 1, 2, 3, 4
        ORDER BY last_seen DESC, d.fingerprint, d.state LIMIT {limit}
    ) g
    CROSS JOIN LATERAL (
        SELECT d.dead_letter_id, d.detail, d.service FROM dead_letters d
        WHERE d.state = g.state AND d.origin_topic = g.origin_topic AND d.reason = g.reason
            AND d.fingerprint = g.fingerprint
        ORDER BY d.failed_at DESC, d.dead_letter_id DESC LIMIT 1
    ) e
    ORDER BY g.last_seen DESC, g.fingerprint, g.state
"""

_ABOUT = """
        d.dead_letter_id, d.state, d.reason, d.detail, d.fingerprint, d.failed_at, d.stored_at, d.service,
        d.origin_topic, d.origin_partition, d.origin_offset, d.origin_timestamp_ms, d.conversation_id, d.sha256,
        d.original_size, d.is_truncated, d.ancestors, coalesce(octet_length(d.record_key), 0) AS key_size"""

PAGE = (
    "SELECT"
    + _ABOUT
    + """
    FROM dead_letters d WHERE {conditions}
    ORDER BY d.failed_at DESC, d.dead_letter_id DESC LIMIT {limit}
"""
)

LETTER = (
    "SELECT"
    + _ABOUT
    + """, d.record_key, d.record_value, d.header_names, d.header_values
    FROM dead_letters d WHERE d.dead_letter_id = $1
"""
)

DESCENDANTS = """
    SELECT dead_letter_id FROM dead_letters WHERE ancestors @> ARRAY[$1::uuid]
    ORDER BY failed_at, dead_letter_id LIMIT 100
"""

HISTORY = """
    SELECT s.dead_letter_id, s.step, s.at, s.sent_partition, s.sent_offset, s.problem, a.action_id, a.done_by, a.note
    FROM dead_letter_steps s JOIN dead_letter_actions a ON a.action_id = s.action_id
    WHERE s.dead_letter_id = ANY ($1::uuid[])
    ORDER BY s.at, s.dead_letter_id
"""

ACTIONS = """
    SELECT a.action_id, a.kind, a.done_by, a.note, a.selection, a.started_at, a.acted_at, n.*
    FROM dead_letter_actions a CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE s.step = 'redriven') AS redriven,
            count(*) FILTER (WHERE s.step = 'refused') AS refused,
            count(*) FILTER (WHERE s.step = 'dropped') AS dropped
        FROM dead_letter_steps s WHERE s.action_id = a.action_id
    ) n
    ORDER BY a.started_at DESC, a.action_id DESC LIMIT $1
"""
