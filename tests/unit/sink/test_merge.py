from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Revision
from services.sink.merge import Posting, Standing, newest_postings, standings
from services.sink.rows import ConversationRow, OutcomeRow

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def posting(words: str, offset: int, conversation_id: str = "conv_1") -> ConversationRow:
    return ConversationRow(
        conversation_id=conversation_id,
        revision=Revision(1000, offset),
        partition=0,
        content_hash=words.encode(),
        received_at=NOW,
        occurred_at=NOW,
        channel=None,
        language=None,
        opening=words,
        turns="[]",
        metadata=None,
        raw=None,
    )


def outcome(kind: str, offset: int, conversation_id: str = "conv_1", version: str = "v1") -> OutcomeRow:
    return OutcomeRow(conversation_id, version, Revision(1000, offset), kind, NOW, NOW, None)


def test_a_posting_with_the_words_of_the_one_before_changes_nothing() -> None:
    assert newest_postings([posting("a", 1), posting("a", 2)]) == [Posting(posting("a", 1), has_changed=False)]


def test_words_that_come_back_are_a_new_revision() -> None:
    rows = [posting("a", 1), posting("b", 2), posting("a", 3)]
    assert newest_postings(rows) == [Posting(posting("a", 3), has_changed=True)]


def test_postings_are_sorted_by_conversation() -> None:
    rows = [posting("a", 1, "z"), posting("a", 2, "b"), posting("a", 3, "m")]
    assert [one.row.conversation_id for one in newest_postings(rows)] == ["b", "m", "z"]


def stored_after(
    stored: ConversationRow | None, batches: Sequence[Sequence[ConversationRow]]
) -> ConversationRow | None:
    """What the table holds after these batches, by the rule of the statement that stores postings."""
    for batch in batches:
        for one in newest_postings(batch):
            is_news = stored is None or one.has_changed or one.row.content_hash != stored.content_hash
            if is_news and (stored is None or one.row.revision > stored.revision):
                stored = one.row
    return stored


@given(st.text(alphabet="ab", max_size=8), st.data())
def test_what_is_stored_does_not_depend_on_where_batches_end(words: str, data: st.DataObject) -> None:
    rows = [posting(word, offset) for offset, word in enumerate(words)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)))) | {0, len(rows)})
    batches = [rows[low:high] for low, high in pairwise(cuts)]
    assert stored_after(None, batches) == stored_after(None, [[row] for row in rows])


def test_a_failed_newer_revision_leaves_the_older_insight_shown() -> None:
    found = standings([outcome("completed", 1), outcome("failed", 2)])
    assert found == [Standing(newest=outcome("failed", 2), shown=outcome("completed", 1))]


def test_of_one_revision_a_completed_outcome_beats_a_failed_one() -> None:
    found = standings([outcome("completed", 1), outcome("failed", 1)])
    assert found == [Standing(newest=outcome("completed", 1), shown=outcome("completed", 1))]


def test_a_skipped_newer_revision_takes_the_place_of_the_older_insight() -> None:
    found = standings([outcome("skipped", 2), outcome("completed", 1)])
    assert found == [Standing(newest=outcome("skipped", 2), shown=outcome("skipped", 2))]


def test_versions_stand_apart_and_rows_are_sorted_as_they_are_locked() -> None:
    rows = [outcome("completed", 1, "b", "v2"), outcome("failed", 1, "b", "v1"), outcome("skipped", 1, "a", "v1")]
    found = [(one.newest.conversation_id, one.newest.version) for one in standings(rows)]
    assert found == [("a", "v1"), ("b", "v1"), ("b", "v2")]


outcomes = st.builds(
    outcome, st.sampled_from(["failed", "skipped", "completed"]), st.integers(0, 4), st.sampled_from(["a", "b"])
)


@given(st.lists(outcomes), st.randoms())
def test_the_order_of_arrival_does_not_matter(rows: list[OutcomeRow], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert standings(shuffled) == standings(rows)
