"""A body of a mebibyte may hold much text, but not any number of parts."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given

from services.ingress import body_structure
from services.ingress.body_structure import MAX_COMMAS, MAX_CONTAINERS, refuse_too_many_parts
from services.runtime.problems import Problem
from tests.unit.ingress.doors import MANY, ONE
from tests.unit.ingress.posts import json_values


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (MAX_CONTAINERS + 1),
        b"[" + b"{}," * MAX_CONTAINERS + b"{}]",
        b"[" + b"1," * (MAX_COMMAS + 1) + b"1]",
        b'{"raw":{' + b'"a":1,' * (MAX_COMMAS + 1) + b'"a":1}}',
        b'"never ends \\"' + b'\\"' * 1000 + b'"' + b"[" * (MAX_CONTAINERS + 1),
    ],
)
def test_a_body_of_too_many_parts_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        refuse_too_many_parts(body)
    assert (refused.value.status, refused.value.errors[0].field) == (400, "body")


@pytest.mark.parametrize("said", ["[" * 900_000, "{,}" * 300_000, '\\"[' * 300_000, '"\\[' * 200_000, "\\" * 900_000])
def test_what_was_said_may_hold_any_number_of_brackets_and_commas(said: str) -> None:
    refuse_too_many_parts(json.dumps({"text": said}).encode())


def test_a_string_that_does_not_end_is_no_part() -> None:
    for end in (b"", b"\\", b'\\"', b"["):
        refuse_too_many_parts(b'{"text":"' + b'\\"[' * 200_000 + end)


@given(json_values)
def test_parts_are_counted_as_they_stand_outside_of_strings(value: Any) -> None:
    alone = body_structure._STRING.sub(b"", json.dumps(value).encode())
    assert alone.count(b"[") + alone.count(b"{") == containers_in(value)


def containers_in(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(containers_in, value.values()))
    return 1 + sum(map(containers_in, value)) if isinstance(value, list) else 0


@pytest.mark.parametrize(("path", "media_type"), [(ONE, "json"), (MANY, "json"), (MANY, "x-ndjson")])
async def test_both_routes_refuse_it(ingress: httpx.AsyncClient, path: str, media_type: str) -> None:
    body = b"[" + b"[]," * MAX_CONTAINERS + b"[]]"
    answer = await ingress.post(path, content=body, headers={"Content-Type": f"application/{media_type}"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_schema")
    assert answer.json()["details"].startswith("The body holds more than 30,000 objects and arrays")
