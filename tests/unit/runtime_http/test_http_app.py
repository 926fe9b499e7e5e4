"""What every HTTP application does alike: problems, correlation ids, headers, health, docs, metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import jsonschema
import pytest
from fastapi import Depends, FastAPI, Query
from prometheus_client import generate_latest

from services.runtime.api_keys import new_key, require_scope
from services.runtime.health import CheckResult, Health
from services.runtime.http_app import create_http_app
from services.runtime.problems import FieldProblem, Problem
from services.runtime.settings import SharedSettings

KEY, ENTRY = new_key("board", ["read"])


def an_app(settings: SharedSettings | None = None, health: Health | None = None) -> FastAPI:
    app = create_http_app(
        title="Try", service="try", health=health or Health("try", {}), settings=settings or SharedSettings()
    )

    @app.get("/count")
    async def count(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    @app.get("/bug")
    async def bug() -> None:
        raise LookupError("the words of a customer")

    @app.get("/teapot")
    async def teapot() -> None:
        raise Problem(418, "teapot", "Short and stout.", errors=[FieldProblem("spout", "is here")], retry_after=7)

    @app.get("/read", dependencies=[Depends(require_scope("read"))])
    async def read() -> str:
        return "yes"

    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://try.test")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(an_app()) as opened:
        yield opened


async def test_a_problem_has_the_members_of_the_rfc_and_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get("/teapot", headers={"X-Correlation-Id": "c-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {
        "type": "urn:undertone:problem:teapot",
        "title": "I'm a Teapot",
        "status": 418,
        "detail": "Short and stout.",
        "instance": "/teapot",
        "correlation_id": "c-1",
        "error": "teapot",
        "details": "Short and stout.",
        "errors": [{"field": "spout", "problem": "is here"}],
        "retry_after": 7,
    }


async def test_problems_are_as_the_document_describes_them(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["components"]["schemas"]["Problem"]
    for path in ("/teapot", "/nowhere", "/bug", "/count?limit=0"):
        jsonschema.validate((await client.get(path)).json(), {**described, "additionalProperties": False})


async def test_a_wrong_parameter_is_said_in_our_words(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/count?limit=many")).json()
    assert answer["errors"] == [{"field": "limit", "problem": "must be a whole number"}]
    assert answer["details"] == "limit: must be a whole number"


async def test_a_wrong_parameter_is_400_with_its_name(client: httpx.AsyncClient) -> None:
    for query, field in (("?limit=0", "limit"), ("?limit=many", "limit"), ("", "limit")):
        answer = await client.get(f"/count{query}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_parameter")
        assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["details"] == "Missing required parameter: limit"


async def test_a_bug_is_500_without_internals_and_in_the_log_without_words(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/bug", headers={"X-Correlation-Id": "c-2"})
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert "customer" not in answer.text
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"] == "c-2"
    assert [record.message for record in caplog.records] == ["request_failed"]


async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nowhere")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
    wrong = await client.delete("/count")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/nowhere", "/bug", "/docs"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in headers
        assert "cache-control" in headers
        assert "server" not in headers


async def test_docs_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text
    for asset in ("/docs/docs.js", "/docs/docs.css", "/openapi.json"):
        assert (await client.get(asset)).status_code == 200


async def test_requests_are_measured_by_route_and_not_by_path(client: httpx.AsyncClient) -> None:
    await client.get("/count?limit=3")
    await client.get("/conversations/conv_1")
    await client.request("BREW", "/count")
    written = generate_latest().decode()
    assert 'undertone_http_request_seconds_count{method="GET",route="/count",status="200"}' in written
    assert 'method="GET",route="unmatched",status="404"' in written
    assert 'method="other",route="/count",status="405"' in written
    assert "conv_1" not in written
    assert "BREW" not in written


async def test_a_scope_is_asked_for_where_a_route_says_so() -> None:
    _, other = new_key("writer", ["ingest"])
    async with client_of(an_app(SharedSettings(api_keys=f"{ENTRY} {other}"))) as client:
        assert (await client.get("/read")).status_code == 401
        assert (await client.get("/read", headers={"X-API-Key": KEY})).status_code == 200


async def test_a_failing_check_is_503_by_name_and_detailed_for_keys_only() -> None:
    async def broken() -> CheckResult:
        raise RuntimeError("boom")

    health = Health(
        "try",
        {
            "kafka": lambda: CheckResult(ok=False, detail="away"),
            "postgres": broken,
            "fine": lambda: CheckResult(ok=True),
        },
        lambda: {"engine": "offline-2"},
    )
    async with client_of(an_app(SharedSettings(api_keys=ENTRY), health)) as client:
        for path in ("/readyz", "/health/ready"):
            strangers = await client.get(path)
            assert strangers.status_code == 503
            assert strangers.json()["checks"] == {
                "kafka": {"ok": False},
                "postgres": {"ok": False},
                "fine": {"ok": True},
            }
            assert "engine" not in strangers.json()
        detailed = (await client.get("/readyz", headers={"X-API-Key": KEY})).json()
        assert detailed["checks"]["kafka"] == {"ok": False, "detail": "away"}
        assert detailed["engine"] == "offline-2"
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/health")).json() == {"status": "degraded", "service": "try"}


async def test_a_check_that_hangs_fails_and_does_not_hold_up_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.runtime.health._CHECK_SECONDS", 0.01)

    async def hangs() -> CheckResult:
        await asyncio.Event().wait()
        return CheckResult(ok=True)

    async with client_of(an_app(health=Health("try", {"slow": hangs}))) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "did not answer" in answer.json()["checks"]["slow"]["detail"]


async def test_checks_are_asked_once_for_many_who_ask_at_once() -> None:
    asked = []

    def check() -> CheckResult:
        asked.append(1)
        return CheckResult(ok=True)

    async with client_of(an_app(health=Health("try", {"kafka": check}))) as client:
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    assert len(asked) == 1


async def test_a_long_list_of_problems_is_cut_short(client: httpx.AsyncClient) -> None:
    problem = Problem(400, "invalid_schema", "Much.", errors=[FieldProblem("f\ud800", "is wrong")] * 5000)
    assert len(json.loads(problem.body())["errors"]) == 100
