"""What erasure, retention and retirement remove: what is kept of some conversations ($1: their ids).

Pointers and conversations leave in the statements that take them out of the rollups, so a recount agrees at any time.
Run in this order, which is every writer's order of locks.
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.conversations import COUNT_STATUS, RETURN_STATUS
from services.sink.sql.outcomes import COUNT_SHOWN, RETURN_SHOWN

_LOCKED_CONVERSATIONS = """
    WITH locked AS MATERIALIZED (
        SELECT c.conversation_id FROM unnest($1::text[]) AS n (conversation_id)
        CROSS JOIN LATERAL (
            SELECT k.conversation_id FROM conversations k WHERE k.conversation_id = n.conversation_id LIMIT 1 FOR UPDATE
        ) c
        ORDER BY 1
    )"""


def _insights(which: str = "") -> str:
    return f"""
    WITH removed AS (
        DELETE FROM insights WHERE insight_id = ANY (ARRAY(
            SELECT i.insight_id FROM insights i WHERE i.conversation_id = ANY ($1::text[]){which}
            ORDER BY i.insight_id FOR UPDATE
        ))
        RETURNING insight_id
    ), silenced AS (
        DELETE FROM completions WHERE insight_id = ANY (ARRAY(SELECT insight_id FROM removed))
    )
    SELECT count(*) FROM removed
"""


def _pointers(which: str = "") -> str:
    return f"""
    WITH locked AS MATERIALIZED (
        SELECT o.conversation_id, o.version_id FROM current_outcomes o WHERE o.conversation_id = ANY ($1::text[]){which}
        ORDER BY 1, 2 FOR UPDATE
    ), moved AS (
        DELETE FROM current_outcomes o USING locked l
        WHERE o.conversation_id = l.conversation_id AND o.version_id = l.version_id
        RETURNING old.version_id AS version_id,{RETURN_SHOWN}
    ){COUNT_SHOWN}
"""


INSIGHTS = _insights()
"""Insights, current or not, and their parts of completions."""

POINTERS = _pointers()
"""Pointers to outcomes, and what the rollups count of them."""

INSIGHTS_OF_VERSION = _insights(" AND i.version_id = $2")
POINTERS_OF_VERSION = _pointers(" AND o.version_id = $2")
"""The same under one version ($2), which is retired."""

CONVERSATIONS = f"""
    {_LOCKED_CONVERSATIONS.strip()}, moved AS (
        DELETE FROM conversations c USING locked l WHERE c.conversation_id = l.conversation_id{RETURN_STATUS}
    ){COUNT_STATUS}
"""
"""Conversations, and what the rollups count of them."""

TURNS = "WITH removed AS (DELETE FROM conversation_turns WHERE conversation_id = ANY ($1::text[]) RETURNING 1) \
SELECT count(*) FROM removed"
"""The words."""
