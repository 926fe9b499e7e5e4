"""Removing all that is kept of some conversations, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.sink.sql import removals as sql


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows left."""

    conversations: int
    insights: int
    outcomes: int


async def remove_conversations(connection: Any, conversation_ids: Sequence[str]) -> Removed:
    """Words, insights, completions, pointers and status of these conversations; rollups go with them."""
    ids = sorted(conversation_ids)
    insights = await connection.fetchval(sql.INSIGHTS, ids)
    outcomes = await connection.fetchval(sql.POINTERS, ids)
    conversations = await connection.fetchval(sql.CONVERSATIONS, ids)
    await connection.fetchval(sql.TURNS, ids)
    return Removed(conversations, insights, outcomes)
