"""What of a batch is stored: pure decisions, the same whatever the batch's borders are.

Postings of one conversation come in order (one conversation is in one partition). Outcomes come in any order:
what stands is a maximum by (revision, kind), so neither their order nor how they are batched can matter.
"""

from collections.abc import Iterable
from typing import NamedTuple

from services.sink.rows import KIND_RANKS, ConversationRow, OutcomeRow


class Posting(NamedTuple):
    """The last posting of a conversation in a batch that said something new.

    `has_changed`: within the batch the words changed, so that it is a new revision even when the last words equal
    the stored ones (A, then B, then A again).
    """

    row: ConversationRow
    has_changed: bool


def newest_postings(rows: Iterable[ConversationRow]) -> list[Posting]:
    """One posting a conversation, by id; a posting with the words of the one before it changes nothing."""
    newest: dict[str, Posting] = {}
    for row in rows:
        before = newest.get(row.conversation_id)
        if before is None:
            newest[row.conversation_id] = Posting(row, has_changed=False)
        elif row.revision > before.row.revision and row.content_hash != before.row.content_hash:
            newest[row.conversation_id] = Posting(row, has_changed=True)
    return [newest[conversation_id] for conversation_id in sorted(newest)]


class Standing(NamedTuple):
    """Of the outcomes of a conversation under a version: the newest, and the newest that is no failure."""

    newest: OutcomeRow
    shown: OutcomeRow | None


def standings(rows: Iterable[OutcomeRow]) -> list[Standing]:
    """One standing a conversation and version, in the order in which rows are locked."""
    found: dict[tuple[str, str], Standing] = {}
    for row in rows:
        place = (row.conversation_id, row.version)
        shown = None if row.kind == "failed" else row
        before = found.get(place)
        if before is None:
            found[place] = Standing(row, shown)
        else:
            found[place] = Standing(_newer(before.newest, row), _newest_shown(before.shown, shown))
    return [found[place] for place in sorted(found)]


def _newest_shown(before: OutcomeRow | None, after: OutcomeRow | None) -> OutcomeRow | None:
    if before is None or after is None:
        return before or after
    return _newer(before, after)


def _newer(before: OutcomeRow, after: OutcomeRow) -> OutcomeRow:
    """The greater by (revision, kind); of equals the one that came first."""
    return after if _rank(after) > _rank(before) else before


def _rank(row: OutcomeRow) -> tuple[int, int, int]:
    return row.revision.timestamp_ms, row.revision.offset, KIND_RANKS[row.kind]
