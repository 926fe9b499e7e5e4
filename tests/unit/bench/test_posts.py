import json
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from services.ingress.posted import PostedConversation, PostedExternalText, PostedSingleText
from undertone.bench.posts import PostMaker, Shape, texts_of

URL = urlsplit("http://127.0.0.1:8000")
MODELS: dict[Shape, type[BaseModel]] = {
    Shape.TURNS: PostedConversation,
    Shape.TEXT: PostedSingleText,
    Shape.EXTERNAL: PostedExternalText,
}


def parts(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return {"": lines[0], **dict(line.split(": ", 1) for line in lines[1:])}, body


@pytest.mark.parametrize("shape", MODELS)
def test_every_shape_is_what_the_ingress_accepts(shape: Shape) -> None:
    headers, body = parts(PostMaker(URL, "run", shape=shape)().request)
    assert headers[""] == "POST /api/v1/conversations HTTP/1.1"
    assert int(headers["Content-Length"]) == len(body)
    MODELS[shape].model_validate_json(body)


def test_a_bulk_request_names_all_its_ids() -> None:
    post = PostMaker(URL, "run", shape=Shape.BULK, bulk_size=3)()
    headers, body = parts(post.request)
    assert headers[""].startswith("POST /api/v1/conversations/bulk ")
    assert [one["conversation_id"] for one in json.loads(body)] == list(post.ids) == ["run-1", "run-2", "run-3"]


@pytest.mark.parametrize("shape", [Shape.TURNS, Shape.EXTERNAL, Shape.BULK])
def test_no_id_is_posted_twice(shape: Shape) -> None:
    maker = PostMaker(URL, "run", shape=shape, bulk_size=5)
    ids = [identifier for _ in range(20) for identifier in maker().ids]
    assert len(ids) == len(set(ids)) > 0


def test_a_key_goes_into_the_header() -> None:
    assert parts(PostMaker(URL, "run", api_key="secret")().request)[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("length", [2, 280, 20_000])
def test_texts_have_the_length_that_was_asked_for(length: int) -> None:
    assert {len(text.encode()) for text in texts_of(length)} == {length}
    assert texts_of(length) == texts_of(length)


def test_distinct_texts_are_distinct_within_a_bulk_request_and_across_requests() -> None:
    maker = PostMaker(URL, "run", shape=Shape.BULK, bulk_size=100, is_distinct=True)
    bodies = [json.loads(parts(maker().request)[1]) for _ in range(3)]
    texts = [one["turns"][0]["text"] for body in bodies for one in body]
    assert len(set(texts)) == 300
