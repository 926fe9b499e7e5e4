"""What the stream of insights asks: how far outcomes are stored, and what came between two such positions."""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.reads import FULL_INSIGHT

POSITIONS = "SELECT partition, next_offset FROM consumer_offsets WHERE group_name = $1 AND topic = $2"

STORED_BETWEEN = f"""
    SELECT i.analyzed_partition, i.analyzed_offset, i.occurred_at, i.channel, t.opening, {FULL_INSIGHT},
        coalesce((c.revision_ms, c.revision_offset) > (i.revision_ms, i.revision_offset), false) AS stale
    FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS s (partition, low, high)
    CROSS JOIN LATERAL (
        SELECT * FROM insights i
        WHERE i.analyzed_partition = s.partition AND i.analyzed_offset >= s.low
        ORDER BY i.analyzed_partition, i.analyzed_offset LIMIT $4
    ) i
    LEFT JOIN LATERAL (
        SELECT t.opening FROM conversation_turns t WHERE t.conversation_id = i.conversation_id LIMIT 1
    ) t ON true
    LEFT JOIN LATERAL (
        SELECT c.revision_ms, c.revision_offset FROM conversations c WHERE c.conversation_id = i.conversation_id LIMIT 1
    ) c ON true
    WHERE i.analyzed_offset < s.high
    ORDER BY i.analyzed_partition, i.analyzed_offset
"""
"""Insights by their place, at most $4 of each partition. The upper bound stands outside: inside, it makes the planner
believe in few rows, and it reads and sorts all that a late reader has missed for each page."""
