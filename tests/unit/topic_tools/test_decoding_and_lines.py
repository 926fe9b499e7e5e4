"""Records as lines: decoded, chosen, and harmless to a terminal whoever wrote them."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import RawRecord
from schemas.conversation_received import ConversationReceived
from schemas.dead_letter import DeadLetterReason, Origin, bury
from schemas.insight_produced import InsightProduced
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, TOPICS, Topic
from tests.builders import NOW, a_conversation, a_record
from tests.integration.sink.harness import insight
from undertone.topic_tools.decoding import Wanted, as_members, decoded
from undertone.topic_tools.lines import line_of

SECRET = "parcel 4711"
CONVERSATION = a_record(a_conversation("c1", f"where is {SECRET}", channel="chat"))
INSIGHT = a_record(insight("c1", f"where is {SECRET}", 1, channel="chat"), topic=ANALYZED)
POISON = replace(CONVERSATION, value=f"\x1b[2J {SECRET}".encode(), key=b"\x1b[31mc1")


def a_dead_letter() -> RawRecord:
    value, headers = bury(
        f"poison {SECRET}".encode(),
        [],
        origin=Origin(RECEIVED.name, 1, 2, 3),
        reason=DeadLetterReason.UNDECODABLE,
        detail="turns: Field required",
        failed_at=NOW,
        service="analyzer",
    )
    return RawRecord(DEAD_LETTER.name, 0, 0, 0, b"c1", value, headers)


RECORDS = [(CONVERSATION, RECEIVED), (INSIGHT, ANALYZED), (POISON, RECEIVED), (a_dead_letter(), DEAD_LETTER)]


def test_words_are_shown_and_left_out_as_it_is_asked() -> None:
    for record, topic in RECORDS:
        one = decoded(record, topic)
        hidden = json.dumps(as_members(one, with_words=False)) + line_of(one, with_words=False).plain
        assert SECRET not in hidden
        assert "value_base64" not in hidden
    for record, topic in RECORDS[:2]:
        assert "parcel" in json.dumps(as_members(decoded(record, topic), with_words=True))
        assert "where is" in line_of(decoded(record, topic), with_words=True).plain


def test_a_dead_letter_says_why_and_where_it_came_from() -> None:
    one = decoded(a_dead_letter(), DEAD_LETTER)
    assert "undecodable: turns: Field required" in line_of(one, with_words=False).plain
    members = as_members(one, with_words=True)["dead_letter"]
    assert (members["topic"], members["partition"], members["offset"]) == (RECEIVED.name, 1, 2)


def test_filters_choose_by_what_an_event_says() -> None:
    one = decoded(INSIGHT, ANALYZED)
    assert Wanted("c1", "chat", "negative", InsightProduced).admits(one)
    for other in (
        Wanted(conversation_id="c2"),
        Wanted(channel="mail"),
        Wanted(sentiment="positive"),
        Wanted(event=ConversationReceived),
    ):
        assert not other.admits(one)


def test_an_unreadable_record_is_shown_unless_a_filter_asks_for_what_it_cannot_say() -> None:
    one = decoded(replace(POISON, key=b"c1"), RECEIVED)
    assert Wanted().admits(one)
    assert Wanted(conversation_id="c1").admits(one)
    assert not Wanted(channel="chat").admits(one)


@given(
    topic=st.sampled_from(TOPICS),
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=80),
    headers=st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=20)), max_size=3),
)
def test_no_record_reaches_a_terminal_as_an_order(
    topic: Topic, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    one = decoded(RawRecord(topic.name, 0, 0, 0, key, value, headers), topic)
    assert line_of(one, with_words=True).plain.isprintable()
    json.dumps(as_members(one, with_words=True))
