"""A thousand damaged bodies: each is refused or accepted, nothing fails, and what is accepted can be read."""

import json
import random

import httpx
import pytest

from tests.fakes import FakePublisher
from tests.unit.ingress.doors import MANY, ONE, conversations_in

GOOD = [
    json.dumps(body, ensure_ascii=False).encode()
    for body in (
        {"text": "Größe falsch 😡", "author": "kim", "timestamp": "2020-01-31T12:00:00Z", "raw_data": {"a": [1, None]}},
        {"external_id": "tweet-20", "text": 'she said "late": \\ yes', "raw": {"lang": "en", "n": -1.5e3}},
        {"conversation_id": "c-1", "turns": [{"role": "user", "text": "a", "at": "2020-01-31T12:00:00+02:00"}]},
        {"messages": [{"content": "a"}, {"role": "bot", "content": "b"}], "metadata": {"x": {}}, "channel": "chat"},
    )
]
PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xed\xa0\x80"]
PIECES += [b"null", b"NaN", b"1e999", b'"text":"b",', b'"turns":[],', b'"external_id":"x",', b"\n", b"\xef\xbb\xbf"]


def damaged(chosen: random.Random) -> bytes:
    """A good body with one or two pieces put in, taken out, doubled or exchanged."""
    body = bytearray(chosen.choice(GOOD))
    for _ in range(chosen.randint(1, 2)):
        start = chosen.randrange(len(body) + 1)
        end = min(len(body), start + chosen.choice((0, 1, 1, 5, 20)))
        body[start:end] = chosen.choice((b"", body[start:end] * 2, chosen.choice(PIECES), chosen.choice(GOOD)))
    return bytes(body)


@pytest.mark.no_cover  # computes for long, and what it runs is counted elsewhere
async def test_a_thousand_damaged_bodies_break_nothing(ingress: httpx.AsyncClient, publisher: FakePublisher) -> None:
    chosen = random.Random(4)
    accepted, statuses = 0, set()
    for _ in range(1_000):
        path, kind = chosen.choice(((ONE, "json"), (MANY, "json"), (MANY, "x-ndjson")))
        body = damaged(chosen)
        if kind == "json" and path == MANY:
            body = b"[" + body + b"," + damaged(chosen) + b"]"
        answer = await ingress.post(path, content=body, headers={"Content-Type": f"application/{kind}"})
        statuses.add(answer.status_code)
        if answer.status_code == 202:
            accepted += answer.json().get("enqueued", 1)
        else:
            assert answer.json()["errors"], body
    assert statuses == {202, 400}
    assert len(conversations_in(publisher)) == accepted > 50
