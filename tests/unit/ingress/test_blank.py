"""A conversation that says nothing is refused with its field, whichever way it comes; one that says little is not."""

import json
import re
import sys
import unicodedata
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.blank import BLANK_CLASS, says_something
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import MANY, ONE
from tests.unit.ingress.posts import NOW, UNSEEN, can_be_seen
from undertone.ingest.kafka_sender import check_conversation
from undertone.ingest.outgoing import Outgoing

BLANK_TEXTS = [" ", "\t\r\n", "\u00a0\u3000", "\u200b\u200d\ufeff", "\ufe0f", "\u2800", "\u3164", "\x07", "\U000e0041"]
BLANK_POSTS: list[tuple[dict[str, Any], str]] = [
    ({"text": " \n"}, "text"),
    ({"text": "\u200b", "author": "Ada", "timestamp": "2026-01-31T12:00:00Z", "raw_data": {"text": "a"}}, "text"),
    ({"external_id": "order-1", "text": "\u3000"}, "text"),
    ({"external_id": "order-1", "text": "\t", "raw": {"a": 1}}, "text"),
    ({"turns": [{"text": " "}]}, "turns.0.text"),
    ({"turns": [{"content": " "}, {"text": "\ufeff", "role": "agent"}], "channel": "chat"}, "turns.0.content"),
    ({"messages": [{"text": " ", "author": "Ada"}, {"content": " "}]}, "messages.0.text"),
]
posts = pytest.mark.parametrize(("post", "field"), BLANK_POSTS)


@posts
async def test_it_is_refused_alone(ingress: httpx.AsyncClient, post: dict[str, Any], field: str) -> None:
    answer = await ingress.post(ONE, json=post)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_schema")
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert answer.json()["details"].startswith(f"{field}: says nothing")


@posts
@pytest.mark.parametrize("neighbour", [{"text": "Hello"}, {"text": "Hello", "raw_data": {}}])
async def test_it_is_refused_among_others_and_they_are_not(
    ingress: httpx.AsyncClient,
    publisher: FakePublisher,
    post: dict[str, Any],
    field: str,
    neighbour: dict[str, Any],
) -> None:
    lines = "\n".join(json.dumps(one) for one in (neighbour, post))
    array = await ingress.post(MANY, json=[neighbour, post])
    ndjson = await ingress.post(MANY, content=lines, headers={"Content-Type": "application/x-ndjson"})
    for answer in (array, ndjson):
        assert answer.status_code == 202
        accepted, rejected = answer.json()["results"]
        assert (accepted["status"], rejected["status"]) == ("accepted", "rejected")
        assert [one["field"] for one in rejected["error"]["errors"]] == [field]
    assert len(publisher.records) == 2


@posts
def test_an_import_refuses_it_with_its_field(post: dict[str, Any], field: str) -> None:
    problems = check_conversation(Outgoing(1, None, json.dumps(post).encode()), NOW)
    assert [name for name, _ in problems] == [field]


@pytest.mark.parametrize("text", BLANK_TEXTS)
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_no_blank_text_is_accepted(ingress: httpx.AsyncClient, text: str, ascii_only: bool) -> None:
    body = json.dumps({"text": text * 3}, ensure_ascii=ascii_only)
    answer = await ingress.post(ONE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "text", ["?", "…", "7", "\u200b!", " ñ", "ไ", "語", "😀", "\u2764\ufe0f", "\U0001fae8", "€", "\u0301e"]
)
async def test_little_is_enough(ingress: httpx.AsyncClient, text: str) -> None:
    assert (await ingress.post(ONE, json={"text": text})).status_code == 202
    assert (await ingress.post(ONE, json={"turns": [{"text": " "}, {"text": text}]})).status_code == 202
    array = await ingress.post(MANY, json=[{"turns": [{"text": "\n"}, {"text": text}]}])
    assert array.json()["enqueued"] == 1


@pytest.mark.no_cover  # computes for long, and what it runs is counted elsewhere
def test_every_letter_number_mark_and_symbol_of_unicode_can_be_seen_and_no_space() -> None:
    for one in map(chr, range(sys.maxunicode + 1)):
        if one.isspace():
            assert not says_something(one)
        elif can_be_seen(one):
            assert says_something(one)
    assert not any(map(says_something, UNSEEN))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_text_says_something_when_one_character_does(text: str) -> None:
    assert says_something(text) is any(map(says_something, text))
    assert says_something(text) is (re.search(f"[^{BLANK_CLASS}]", text) is not None)


@given(st.text(min_size=1).filter(can_be_seen))
def test_what_says_something_still_does_when_it_is_normalised(text: str) -> None:
    assert says_something(unicodedata.normalize("NFC", text).strip())
