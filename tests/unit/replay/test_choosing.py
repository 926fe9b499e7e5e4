"""Of each conversation the newest revision, if it is in range."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import RawRecord
from schemas.envelope import Envelope
from schemas.event import Revision
from tests.builders import NOW, a_conversation, a_record, an_envelope
from undertone.replay.choosing import Newest, Wanted

EVERYTHING = Wanted()


def record(conversation_id: str, offset: int, *, channel: str | None = "chat", copy_of: int | None = None) -> RawRecord:
    """A record whose time rises with its offset, or a copy of an older one of the same topic (a redrive)."""
    envelope: Envelope = an_envelope()
    if copy_of is not None:
        moment = NOW + timedelta(seconds=copy_of)
        envelope = Envelope(
            envelope.id,
            envelope.source,
            envelope.time,
            envelope.correlation_id,
            envelope.traceparent,
            revision=Revision(int(moment.timestamp() * 1000), copy_of),
        )
    return a_record(
        a_conversation(conversation_id, f"revision {offset}", channel=channel),
        offset=offset,
        timestamp=NOW + timedelta(seconds=offset),
        envelope=envelope,
    )


def unreadable(conversation_id: str, offset: int) -> RawRecord:
    moment_ms = int((NOW + timedelta(seconds=offset)).timestamp() * 1000)
    return RawRecord("conversations.received.v1", 0, offset, moment_ms, conversation_id.encode(), b"{", ())


def chosen(records: list[RawRecord], wanted: Wanted = EVERYTHING, first: int = 0, end: int = 100) -> list[int]:
    newest = Newest(wanted, first, end)
    for one in records:
        newest.add(one)
    return list(newest.offsets())


def test_only_the_newest_revision_of_a_conversation_is_sent() -> None:
    assert chosen([record("a", 0), record("b", 1), record("a", 2)]) == [1, 2]


def test_a_revision_that_a_newer_one_behind_the_window_made_obsolete_is_not_sent() -> None:
    assert chosen([record("a", 0), record("b", 1), record("a", 5)], end=3) == [1]


def test_what_lies_only_behind_the_window_is_not_sent() -> None:
    assert chosen([record("a", 0), record("b", 5)], end=3) == [0]


def test_a_redriven_copy_of_an_older_revision_hides_nothing_that_was_posted_since() -> None:
    assert chosen([record("a", 3), record("a", 4, copy_of=1)]) == [3]


def test_a_newer_posting_that_nobody_can_read_does_not_take_the_place_of_one_that_was_analysed() -> None:
    assert chosen([record("a", 0), unreadable("a", 1)]) == [0]


def test_a_key_that_is_null_is_no_conversation() -> None:
    nameless = RawRecord("conversations.received.v1", 0, 0, 0, None, b"{}", ())
    assert chosen([nameless, record("a", 1)]) == [1]


def test_a_malformed_revision_is_left_to_the_dead_letters() -> None:
    good = record("a", 0)
    bad = RawRecord(good.topic, 0, 1, good.timestamp_ms, good.key, good.value, (("undertone_revision", b"soon"),))
    assert chosen([good, bad]) == [0]


def test_a_conversation_that_left_the_channel_is_not_sent_for_it() -> None:
    records = [record("a", 0, channel="chat"), record("b", 1, channel="mail"), record("a", 2, channel="mail")]
    assert chosen(records, Wanted(channel="chat")) == []
    assert chosen(records, Wanted(channel="mail")) == [1, 2]


def test_named_conversations_only() -> None:
    records = [record("a", 0), record("b", 1), record("c", 2)]
    assert chosen(records, Wanted(conversation_ids={"a", "c", "nobody"})) == [0, 2]


@given(
    st.lists(st.sampled_from("abcd"), max_size=30),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=30),
)
def test_what_is_sent_is_the_last_posting_of_each_conversation_when_that_is_in_the_window(
    posted: list[str], first: int, end: int
) -> None:
    records = [record(conversation_id, offset) for offset, conversation_id in enumerate(posted)]
    last = {conversation_id: offset for offset, conversation_id in enumerate(posted)}
    expected = sorted(offset for offset in last.values() if first <= offset < end)
    assert chosen(records[first:], first=first, end=end) == expected
