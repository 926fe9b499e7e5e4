"""The two post routes answer alike whether the edge calls them at once or through the framework."""

from typing import Any

import httpx
import pytest

from services.ingress.endpoints import MANY, ONE
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import an_ingress

JSON = {"Content-Type": "application/json"}
POSTS: list[tuple[str, bytes, dict[str, str]]] = [
    (ONE, b'{"external_id":"a","text":"b"}', JSON),
    (ONE, b'{"text":"b"}', {**JSON, "Idempotency-Key": "k"}),
    (ONE, b'{"txt":"b"}', JSON),
    (f"{ONE}/", b'{"external_id":"a","text":"b"}', JSON),
    (f"{MANY}/", b'[{"external_id":"a","text":"b"}]', JSON),
    (ONE, b"nonsense", {"Content-Type": "text/plain"}),
    (ONE, b" " * 1_048_577, JSON),
    (MANY, b'[{"external_id":"a","text":"b"},{}]', JSON),
    (MANY, b'{"external_id":"a","text":"b"}\n', {"Content-Type": "application/x-ndjson"}),
    (MANY, b"[]", JSON),
]


async def answers(posts: list[tuple[str, bytes, dict[str, str]]]) -> list[httpx.Response]:
    async with an_ingress(FakePublisher(), requests_per_second=0.001, burst=len(posts) - 1) as client:
        return [
            await client.post(path, content=body, headers={**headers, "X-Correlation-Id": "c"})
            for path, body, headers in posts
        ]


async def test_the_short_way_and_the_long_way_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    short = await answers(POSTS)
    called: list[Any] = []

    def none_is_fast(posting: Any) -> dict[Any, Any]:
        called.append(posting)
        return {}

    monkeypatch.setattr("services.ingress.app.fast_routes", none_is_fast)
    long = await answers(POSTS)
    assert called
    assert [answer.status_code for answer in short] == [202, 202, 400, 202, 202, 415, 413, 202, 202, 429]
    for one, other in zip(short, long, strict=True):
        assert (one.status_code, one.content) == (other.status_code, other.content)
        assert sorted(one.headers.multi_items()) == sorted(other.headers.multi_items())
