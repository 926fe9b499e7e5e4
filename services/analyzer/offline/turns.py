"""Whose turns count, and how much of a conversation is read."""

import unicodedata
from collections.abc import Sequence

from schemas.conversation_received import Role, Turn
from services.analyzer.offline.tokens import considered

FIRST_TURNS, LAST_TURNS = 15, 25
"""Of more turns only these are read, so that the work one conversation can cost is bounded."""

FEWEST_WORDS = 3
"""What a quotation needs to say something."""


def those_who_count(turns: Sequence[Turn]) -> list[Turn]:
    """The customer's turns; without any, those of unknown speakers; else all that is left, agents' before systems'."""
    for roles in ((Role.CUSTOMER,), (Role.UNKNOWN,), (Role.AGENT,)):
        chosen = [turn for turn in turns if turn.role in roles]
        if chosen:
            return chosen
    return list(turns)


def can_be_customers(turn: Turn) -> bool:
    """Whether a customer speaks, or someone who may be one."""
    return turn.role in {Role.CUSTOMER, Role.UNKNOWN}


def agents_of(turns: Sequence[Turn]) -> list[Turn]:
    """The turns of the company's side."""
    return [turn for turn in turns if turn.role is Role.AGENT]


def bounded(turns: list[Turn]) -> list[Turn]:
    """The first and the last turns."""
    if len(turns) <= FIRST_TURNS + LAST_TURNS:
        return turns
    return turns[:FIRST_TURNS] + turns[-LAST_TURNS:]


def text_of(turn: Turn) -> str:
    """The part of a turn that is read, normalised as for the content hash: equal hashes give equal findings."""
    text = turn.text.strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return considered(text)


def can_be_quoted(turn: Turn) -> bool:
    """Whether a turn has the words that a quotation needs."""
    return len(turn.text.split(None, FEWEST_WORDS - 1)) == FEWEST_WORDS
