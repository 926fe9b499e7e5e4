"""Every malformed conversation is refused with each of its problems and their fields."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import reading
from services.ingress.posted import PostedConversation
from services.ingress.reading import read_array, read_lines, read_one
from services.ingress.refusals import Refusal
from services.ingress.strict_json import duplicates_in, read_strictly
from services.runtime.problems import Problem
from tests.unit.ingress.posts import NOW, good_posts

TOO_DEEP = '{"a":' * 36 + "1" + "}" * 36


def refusal(text: str | bytes) -> Refusal:
    answer = read_one(text.encode() if isinstance(text, str) else text, NOW)
    assert isinstance(answer, Refusal), answer
    return answer


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ('{"turns":[{"role":"customer"}]}', "turns.0.text", "is required"),
        ('{"messages":[{"content":""}]}', "messages.0.content", "must not be empty"),
        ('{"messages":[{"content":"a","timestamp":"2026-01-01T00:00:00"}]}', "messages.0.timestamp", "needs a zone"),
        ('{"text":"a","timestamp":"2099-01-01T00:00:00Z"}', "timestamp", "in the future"),
        ('{"turns":[{"text":"a","at":"1999-12-31T23:59:59Z"}]}', "turns.0.at", "before the year 2000"),
        ('{"turns":[{"text":"a","at":"0001-01-01T00:00:00+14:00"}]}', "turns.0.at", "out of the range"),
        ('{"turns":[{"text":"a","at":1700000000}]}', "turns.0.at", "ISO 8601"),
        ('{"turns":[{"text":"a","at":"1700000000"}]}', "turns.0.at", "ISO 8601"),
        ('{"turns":[{"text":"a","at":"2026-02-30T00:00:00Z"}]}', "turns.0.at", "must be an ISO 8601 time"),
        ('{"turns":[{"text":"a","role":"boss"}]}', "turns.0.role", "must be one of customer"),
        ('{"turns":[]}', "turns", "must not be empty"),
        ('{"turns":{}}', "turns", "must be an array"),
        ('{"turns":[7]}', "turns.0", "must be an object"),
        ('{"turns":[{"text":"a","content":"b"}]}', "turns.0.content", "given twice"),
        ('{"turns":[{"text":"a"}],"messages":[{"text":"a"}]}', "messages", "given twice"),
        ('{"text":"a","mood":"good"}', "mood", "not a known member"),
        ('{"turns":[{"text":"a","mood":"good"}]}', "turns.0.mood", "not a known member"),
        (
            '{"conversation_id":"x","text":"a"}',
            "conversation_id",
            'write `"turns": [{"text": "…"}]` in place of `text`',
        ),
        ('{"conversation_id":"x","text":"a"}', "conversation_id", "or call the id `external_id`"),
        ('{"external_id":"x","text":"a","channel":"chat"}', "channel", "stands beside `turns` only"),
        ('{"external_id":"with space","text":"a"}', "external_id", "1 to 128 of the characters"),
        ('{"conversation_id":"é","turns":[{"text":"a"}]}', "conversation_id", "1 to 128 of the characters"),
        ('{"turns":[{"text":"a"}],"channel":"a b"}', "channel", "1 to 64 of the characters"),
        ('{"turns":[{"text":"a"}],"language":"e"}', "language", "language tag"),
        ('{"text":null}', "text", "must be a string"),
        ('{"text":3}', "text", "must be a string"),
        ('{"text":"nul \\u0000"}', "text", "U+0000"),
        ('{"text":"half \\ud800"}', "text", "lone surrogate"),
        ('{"text":"a","raw_data":{"\\ud800":1}}', "raw_data", "lone surrogate"),
        ('{"text":"a","raw_data":{"n":1e999}}', "raw_data", "NaN or an infinity"),
        ('{"text":"a","raw_data":[1]}', "raw_data", "must be an object"),
        (f'{{"text":"a","raw_data":{TOO_DEEP}}}', "raw_data", "deeper than 32"),
        (json.dumps({"text": "a" * 20_001}), "text", "longer than 20,000 characters"),
        (json.dumps({"turns": [{"text": "a"}] * 501}), "turns", "longer than 500 turns"),
        (json.dumps({"text": "a", "raw_data": {"x": "y" * 65_536}}), "raw_data", "larger than 64 KiB"),
        (json.dumps({"turns": [{"text": "a"}], "metadata": {"x": "y" * 16_384}}), "metadata", "larger than 16 KiB"),
        ('{"text":"a","text":"b"}', "text", "given twice"),
        ('{"text":"a","raw_data":{"x":{"y":1,"y":2}}}', "raw_data.x.y", "given twice"),
    ],
)
def test_a_malformed_field_is_named_with_its_problem(text: str, field: str, said: str) -> None:
    (problem,) = refusal(text).problems
    assert problem.field == field
    assert said in problem.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("{", "line 1 column 2"),
        ('{"text":"a"} x', "Extra data"),
        ('{"text":NaN}', "NaN is not a JSON value"),
        ('{"text":"a","raw_data":{"x":-Infinity}}', "-Infinity is not a JSON value"),
        ("[1]", "is a JSON object"),
        ("null", "is a JSON object"),
        ("[" * 200_000, "nested deeper than 40"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested deeper than 40"),
        ('{"text":"a","raw_data":{"n":' + "9" * 5000 + "}}", "too many digits"),
        (b'{"text":"\xff"}', "not UTF-8"),
        ('{"text":"a"}'.encode("utf-16"), "not UTF-8"),
        ('\ufeff{"text":"a"}', "byte order mark"),
        (json.dumps({f"m{number}": 1 for number in range(5000)}), "at most 4096 members"),
    ],
)
def test_what_is_no_conversation_at_all_is_refused_in_one_sentence(text: str | bytes, said: str) -> None:
    assert said in refusal(text).details


def test_every_problem_is_named_and_the_first_is_the_sentence() -> None:
    answer = refusal('{"turns":[{"role":"boss"},{"content":"","at":"noon"}],"channel":"a b","x":1}')
    assert {problem.field for problem in answer.problems} == {
        "turns.0.role",
        "turns.0.text",
        "turns.1.content",
        "turns.1.at",
        "channel",
        "x",
    }
    assert answer.details.startswith(answer.problems[0].field)


@pytest.mark.parametrize("text", ["{}", '{"author":"kim"}', '{"external_id":"a"}', '{"turns":[{"role":"agent"}]}'])
def test_a_missing_text_is_said_in_the_words_that_clients_look_for(text: str) -> None:
    assert refusal(text).details == "Missing required field: text"


def test_a_refusal_never_quotes_what_was_said() -> None:
    secret = "my card is 4111-1111"
    for posted in ({"turns": [{"text": secret, "role": secret}]}, {"text": secret, "timestamp": secret}):
        answer = refusal(json.dumps(posted))
        assert secret not in json.dumps(answer.members())


@given(good_posts)
def test_the_quick_way_and_the_slow_way_agree(posted: dict[str, Any]) -> None:
    text = json.dumps(posted).encode()
    assert reading._check(read_strictly(text), NOW) == read_one(text, NOW)


@given(
    st.recursive(
        st.integers() | st.text(max_size=5),
        lambda inner: st.lists(st.tuples(st.sampled_from(["text", "raw", "a", 'b":']), inner), max_size=4),
    )
)
def test_a_member_that_stands_twice_is_never_overlooked(pairs: Any) -> None:
    text = f'{{"text":"x","raw_data":{_written(pairs)}}}'.encode()
    answer = read_one(text, NOW)
    if duplicates_in(read_strictly(text)):
        assert isinstance(answer, Refusal)


def _written(value: Any) -> str:
    """JSON of nested lists of pairs, each list an object that may name a member twice."""
    if isinstance(value, list):
        return "{" + ",".join(f"{json.dumps(name)} : {_written(inner)}" for name, inner in value) + "}"
    return json.dumps(value)


def test_text_that_looks_like_a_member_is_accepted() -> None:
    assert not isinstance(read_one(json.dumps({"text": 'she said "late": yes, "late": no'}).encode(), NOW), Refusal)


def test_an_array_is_read_whole_or_conversation_by_conversation() -> None:
    good = [{"turns": [{"text": "a"}]}, {"turns": [{"text": "b", "author": "kim"}]}]
    assert all(isinstance(one, PostedConversation) for one in read_array(json.dumps(good).encode(), NOW))
    mixed = read_array(
        json.dumps([*good, {"text": "c"}, 7, {"turns": [{"text": "d", "at": "2099-01-01T00:00:00Z"}]}]).encode(), NOW
    )
    assert [isinstance(one, Refusal) for one in mixed] == [False, False, False, True, True]


def test_lines_are_read_one_by_one_and_empty_ones_do_not_count() -> None:
    answers = read_lines(b'{"text":"a"}\r\n\n  \nnonsense\n{"external_id":"b","text":"c"}', NOW)
    assert [isinstance(one, Refusal) for one in answers] == [False, True, False]


@pytest.mark.parametrize("read", [read_array, read_lines])
def test_501_conversations_are_refused_as_too_many(read: Any) -> None:
    conversations = [b'{"turns":[{"text":"a"}]}'] * 501
    body = b"[" + b",".join(conversations) + b"]" if read is read_array else b"\n".join(conversations)
    with pytest.raises(Problem) as refused:
        read(body, NOW)
    assert refused.value.error == "too_many_conversations"


@pytest.mark.parametrize("body", [b'{"text":"a"}', b"", b"[", b"[{}", b"\xff"])
def test_a_body_that_is_no_array_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_array(body, NOW)
    assert (refused.value.status, refused.value.error) == (400, "invalid_schema")
