from datetime import UTC, datetime, timedelta

import pytest

from schemas.conversation_skipped import ConversationSkipped
from schemas.topics import ANALYZED, TOPICS
from undertone.errors import UsageProblem
from undertone.topic_tools.naming import find_topic, find_type, short_name, short_type
from undertone.topic_tools.starting import FromMoment, LogRange, parse_start, starts_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOG = LogRange(100, 200)


def test_every_topic_and_event_is_found_by_its_full_and_its_short_name() -> None:
    for topic in TOPICS:
        assert find_topic(topic.name) is find_topic(short_name(topic)) is topic
        for event in topic.events:
            assert find_type(event.type, topic) is find_type(short_type(event.type), topic) is event
    assert find_type("conversation", ANALYZED) is ConversationSkipped


@pytest.mark.parametrize("name", ["recieved", "", "conversations", "\x1b[31m"])
def test_what_is_no_topic_is_refused_naming_those_there_are(name: str) -> None:
    with pytest.raises(UsageProblem, match="received, replay"):
        find_topic(name)


def test_what_is_no_event_is_refused_naming_those_there_are() -> None:
    with pytest.raises(UsageProblem, match=r"insight\.produced"):
        find_type("conv", ANALYZED)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("beginning", 100), ("latest", 200), ("150", 150), ("7", 100), ("999", 200), ("-10", 190), ("-999", 100)],
)
def test_reading_starts_within_what_the_log_holds(text: str, offset: int) -> None:
    assert starts_of(parse_start(text, NOW), {0: LOG}, {}) == {0: offset}


def test_a_moment_starts_at_its_first_record_and_at_the_end_when_there_is_none() -> None:
    start = parse_start("24h", NOW)
    assert start == FromMoment(NOW - timedelta(hours=24))
    assert starts_of(start, {0: LOG, 1: LOG}, {0: 130, 1: None}) == {0: 130, 1: 200}


def test_anything_else_is_refused() -> None:
    with pytest.raises(UsageProblem, match="--from is 'soon'"):
        parse_start("soon", NOW)
