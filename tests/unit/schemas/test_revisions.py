"""Which revision a record is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Revision
from schemas.revisions import revision_of
from tests.builders import NOW, a_conversation, a_record, an_envelope


def test_a_received_record_is_the_revision_that_the_broker_gave_it() -> None:
    record = a_record(a_conversation(), offset=42)
    assert revision_of(record, an_envelope()) == Revision(int(NOW.timestamp() * 1000), 42)


def test_a_copy_keeps_the_revision_of_its_original() -> None:
    record = a_record(a_conversation(), offset=900)
    envelope = replace(an_envelope(), revision=Revision(17, 3))
    assert revision_of(record, envelope) == Revision(17, 3)


@given(st.lists(st.tuples(st.integers(0, 2**41), st.integers(0, 2**40)), min_size=2, max_size=20, unique=True))
def test_of_two_revisions_the_later_time_wins_and_then_the_later_offset(moments: list[tuple[int, int]]) -> None:
    revisions = sorted(Revision(*moment) for moment in moments)
    assert [tuple(revision) for revision in revisions] == sorted(moments)
