"""The words that a reader searches for.

Words count whole and in any case; `deliver*` finds every word that begins so; the parts of `e-mail` or `don't` must
stand side by side in the text too. All of them must occur, anywhere in the turns.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.sink.reads.conditions import Conditions
from services.sink.sql import pages as sql

_COST_OF_A_MATCH = 3
"""Asking a conversation whether it says the words costs about so many times what finding it by index costs."""


@dataclass(frozen=True, slots=True)
class SearchedWords:
    """Words to be found, and how many conversations out of how many are believed to say them."""

    query: str
    patterns: Sequence[str]
    expected: float
    conversations: float

    def are_rare(self, rows: float, wanted: float) -> bool:
        """Whether to start from what says them, rather than to ask `rows` rows one by one until `wanted` do."""
        return self.expected <= _COST_OF_A_MATCH * min(rows, self.rows_until(wanted))

    def rows_until(self, wanted: float) -> int:
        """How many rows hold about so many that say the words."""
        return int(wanted * self.conversations / self.expected)


async def read_words(connection: Any, words: Sequence[str]) -> SearchedWords | None:
    """The words as Postgres searches for them; None when there is nothing to search for in them, such as in `%`."""
    conditions = Conditions()
    parts = " && ".join(_part(word, conditions) for word in words)
    row = await connection.fetchrow(
        f"SELECT q::text AS query, numnode(q) AS nodes FROM (SELECT {parts} AS q) parsed",  # noqa: S608 - placeholders
        *conditions.values,
    )
    if row["nodes"] == 0:
        return None
    expected = await _expected_rows(connection, sql.EXPECTED_SAYING, row["query"])
    conversations = await _expected_rows(connection, sql.EXPECTED_CONVERSATIONS)
    patterns = [f"%{word.rstrip('*')}%" for word in words if word.rstrip("*").isascii() and word.rstrip("*").isalnum()]
    return SearchedWords(row["query"], patterns, expected, max(conversations, expected))


def _part(word: str, conditions: Conditions) -> str:
    beginning = word.removesuffix("*")
    if beginning != word and beginning.isalnum():
        return f"to_tsquery('simple', {conditions.bind(f'{beginning}:*')}::text)"
    return f"phraseto_tsquery('simple', {conditions.bind(word)}::text)"


async def _expected_rows(connection: Any, question: str, *values: str) -> float:
    plan = json.loads(await connection.fetchval(question, *values))
    return max(1.0, math.fabs(plan[0]["Plan"]["Plan Rows"]))
