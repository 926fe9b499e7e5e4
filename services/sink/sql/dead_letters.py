"""What dead letters write."""

KEEP = """
    INSERT INTO dead_letters (
        dead_letter_id, failed_at, origin_offset, origin_timestamp_ms, origin_partition, original_size, is_truncated,
        origin_topic, reason, detail, service, sha256, conversation_id, ancestors, record_key, record_value,
        header_names, header_values
    )
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
    WHERE NOT EXISTS (
        SELECT FROM erasures e WHERE e.conversation_id = $13
        AND ($4::bigint, $3::bigint) <= (e.revision_ms, e.revision_offset)
    )
    ON CONFLICT (dead_letter_id) DO NOTHING
"""
