"""What dead letters write."""

KEEP = """
    INSERT INTO dead_letters (
        dead_letter_id, failed_at, origin_offset, origin_timestamp_ms, origin_partition, original_size, is_truncated,
        origin_topic, reason, detail, service, sha256, conversation_id, ancestors, record_key, record_value,
        header_names, header_values
    )
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
    WHERE NOT EXISTS (
        SELECT FROM erasures e WHERE e.conversation_id = ANY ($19::text[])
        AND ($20::bigint IS NULL OR ($20, $21::bigint) <= (e.revision_ms, e.revision_offset))
    )
    ON CONFLICT (dead_letter_id) DO NOTHING
"""
"""$19: the conversations that it names, $20 and $21: the revision that its words are of. An outcome reaches the
dead letters long after its conversation was posted, so its own time says nothing; what does not tell its revision
counts as erased with the conversation."""
