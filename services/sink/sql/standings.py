"""What a replay must know of a conversation before it sends it again."""

STANDINGS = """
    SELECT asked.conversation_id, c.revision_ms AS newest_ms, c.revision_offset AS newest_offset,
        e.revision_ms AS erased_ms, e.revision_offset AS erased_offset
    FROM (SELECT DISTINCT unnest($1::text[])) AS asked (conversation_id)
    LEFT JOIN conversations c ON c.conversation_id = asked.conversation_id
    LEFT JOIN erasures e ON e.conversation_id = asked.conversation_id
    WHERE c.conversation_id IS NOT NULL OR e.conversation_id IS NOT NULL
"""
"""Conversations ($1) that are known or were erased; each is found by its primary key."""

RETIRED_VERSIONS = "SELECT name FROM analysis_versions WHERE state = 'retired' ORDER BY name"
