"""Who must be forgotten: the condition that every write of a conversation carries."""

NOT_ERASED = """NOT EXISTS (
            SELECT FROM erasures e WHERE e.conversation_id = n.conversation_id
            AND (n.revision_ms, n.revision_offset) <= (e.revision_ms, e.revision_offset)
        )"""
"""For rows called `n` with a conversation_id and a revision."""
