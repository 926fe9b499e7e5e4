"""What is read the quickest way means what the other ways would read, and nothing that they refuse is read so."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode_value
from schemas.conversation_received import MAX_TEXT_CHARACTERS, MAX_TURNS, ConversationReceived
from services.ingress.intake import _given_id
from services.ingress.normalise import normalise, to_event
from services.ingress.plain import Plain, read_plain, read_plain_array
from services.ingress.posted import Posted
from services.ingress.reading import MAX_CONVERSATIONS, read_array, read_one, read_post
from services.ingress.record_values import Receipt, value_of, writer_of_plain
from services.ingress.refusals import Refusal
from tests.unit.ingress.posts import NOW, good_posts, ids, roles, texts

RECEIPT = Receipt.of(NOW)

plain_turns = st.fixed_dictionaries({"text": texts}, optional={"role": roles})
plain_posts = st.one_of(
    st.fixed_dictionaries({"turns": st.lists(plain_turns, min_size=1, max_size=4)}, optional={"conversation_id": ids}),
    st.fixed_dictionaries({"text": texts}, optional={"external_id": ids}),
)
spaces = st.text(" \t\r\n", max_size=2)
members = st.sampled_from(["text", "role", "turns", "conversation_id", "external_id", "content", "author", "at", "raw"])
values = st.one_of(
    st.sampled_from(["", "a", "customer", "boss", "\x00", "\ud800", "a b", "a\nb", '"a":', "\\u0000", "x" * 129]),
    st.none() | st.integers(0, 1) | st.just(float("nan")),
)


def event_of(posted: Posted) -> ConversationReceived:
    """As it would be built, without any short cut."""
    return to_event(normalise(posted), "conv_1", NOW)


def written(value: Any, space: str = "") -> str:
    """JSON in which a tuple of pairs is an object, so that it may name a member twice."""
    if isinstance(value, tuple):
        pairs = [f"{space}{json.dumps(name)}{space}:{space}{written(inner, space)}" for name, inner in value]
        return f"{{{','.join(pairs)}{space}}}"
    if isinstance(value, list):
        return f"[{space}{','.join(written(inner, space) for inner in value)}{space}]"
    return json.dumps(value)


def pairs(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.tuples(members, inner), max_size=4).map(tuple)


@given(st.lists(good_posts, min_size=1, max_size=3), st.booleans())
def test_each_post_of_an_array_is_what_it_would_be_alone(posts: list[dict[str, Any]], ascii_only: bool) -> None:
    readings = read_array(json.dumps(posts, ensure_ascii=ascii_only).encode(), NOW)
    for together, post in zip(readings, posts, strict=True):
        text = json.dumps(post, ensure_ascii=ascii_only).encode()
        alone = read_one(text, NOW)
        assert not isinstance(alone, Refusal)
        for reading in (together, read_post(text, NOW)):
            assert not isinstance(reading, Refusal)
            assert _given_id(reading) == _given_id(alone)
            event = ConversationReceived.model_validate_json(value_of(reading, b"conv_1", RECEIPT))
            assert encode_value(event) == encode_value(event_of(alone))


@given(st.lists(plain_posts, min_size=1, max_size=3), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_plain_posts_without_escapes_are_read_the_quickest_way(
    posts: list[dict[str, Any]], separators: tuple[str, str]
) -> None:
    text = json.dumps(posts, ensure_ascii=False, separators=separators)
    if "\\" not in text:
        assert read_plain_array(text.encode(), MAX_CONVERSATIONS) is not None
        one = json.dumps(posts[0], ensure_ascii=False, separators=separators)
        assert read_plain(one.encode()) is not None


@given(st.lists(plain_posts, min_size=1, max_size=5))
def test_values_that_are_written_together_are_what_each_would_be_alone(posts: list[dict[str, Any]]) -> None:
    write = writer_of_plain(RECEIPT)
    read = read_plain_array(json.dumps(posts, ensure_ascii=False).encode(), MAX_CONVERSATIONS)
    for plain in read or ():
        assert write(plain, b"conv_1") == value_of(plain, b"conv_1", RECEIPT)


@given(st.lists(pairs(values | st.lists(pairs(values) | values, max_size=2)), min_size=1, max_size=2), spaces)
def test_whatever_is_read_the_quickest_way_is_accepted_by_the_strictest(posts: list[Any], space: str) -> None:
    together: Sequence[Plain | None] = read_plain_array(written(posts, space).encode(), MAX_CONVERSATIONS) or [
        None
    ] * len(posts)
    for plain, post in zip(together, posts, strict=True):
        text = written(post, space).encode()
        for read in filter(None, (plain, read_plain(text))):
            alone = read_one(text, NOW)
            assert not isinstance(alone, Refusal), alone
            event = ConversationReceived.model_validate_json(value_of(read, b"conv_1", RECEIPT))
            assert encode_value(event) == encode_value(event_of(alone))


@pytest.mark.parametrize(
    "post",
    [
        b'{"text":"a","text":"b"}',
        b'{"text":"a","t\\u0065xt":"b"}',
        b'{"text" : "a", "text"\n:"b"}',
        b'{"turns":[{"text":"a"}],"turns":[{"text":"b"}]}',
        b'{"turns":[{"text":"a","role":"agent","role":"user"}]}',
        b'{"external_id":"a","external_id":"b","text":"c"}',
        b'{"text":"nul \\u0000"}',
        b'{"text":"half \\ud800"}',
        b'{"text":"half \\udc00 \\ud800"}',
        b'{"text":"\xff"}',
        b'{"text":"\xed\xa0\x80"}',
        b'{"text":"a\nb"}',
        b'{"text":""}',
        b'{"text":" "}',
        b'{"text":"\\u200b\\n"}',
        b'{"external_id":"a","text":"\\t"}',
        b'{"turns":[{"text":" "},{"text":"\\u2800","role":"agent"}]}',
        b'{"text":null}',
        b'{"text":NaN}',
        b'{"text":"a","role":"user"}',
        b'{"turns":[]}',
        b'{"turns":[{"text":"a","role":"boss"}]}',
        b'{"turns":[{"text":"a","role":null}]}',
        b'{"turns":[["a"]]}',
        b'{"turns":[{"text":"a"}],"text":"b"}',
        b'{"turns":[{"text":"a"}],"external_id":"b"}',
        b'{"conversation_id":"a","text":"b"}',
        b'{"external_id":"","text":"b"}',
        b'{"external_id":"a b","text":"b"}',
        b'{"external_id":"a\\nb","text":"b"}',
        b'{"external_id":"a\\n","text":"b"}',
        '{"external_id":"é","text":"b"}'.encode(),
        b'{"external_id":"%b","text":"b"}' % (b"a" * 129),
        b'{"text":"%b"}' % (b"a" * (MAX_TEXT_CHARACTERS + 1)),
        b'{"turns":[%b]}' % b",".join([b'{"text":"a"}'] * (MAX_TURNS + 1)),
        b'{"turns":%b}' % (b"[" * 100_000),
        b"{}",
        b"[]",
        b"null",
    ],
)
def test_what_is_refused_alone_is_not_read_the_quickest_way(post: bytes) -> None:
    assert isinstance(read_one(post, NOW), Refusal)
    assert read_plain(post) is None
    assert read_plain_array(b"[" + post + b"]", MAX_CONVERSATIONS) is None
    assert read_plain_array(b'[{"text":"good"},' + post + b"]", MAX_CONVERSATIONS) is None


@pytest.mark.parametrize(
    "text", [b"", b"[", b"[]x", b'[{"text":"a"},]', b'\xef\xbb\xbf[{"text":"a"}]', b'{"text":"a"}']
)
def test_what_is_no_json_array_is_not_read_the_quickest_way(text: bytes) -> None:
    assert read_plain_array(text, MAX_CONVERSATIONS) is None
