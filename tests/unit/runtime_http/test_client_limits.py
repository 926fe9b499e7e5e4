"""Limits on routes of the framework, as the read API has them."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import SecretStr
from starlette.responses import Response, StreamingResponse

from services.runtime.api_keys import new_key, require_scope
from services.runtime.client_limits import ClientLimits, admit_within_limits
from services.runtime.health import Health
from services.runtime.http_app import create_http_app
from services.runtime.rate_limits import SlidingWindows, WindowLimit
from services.runtime.settings import SharedSettings

KEY, ENTRY = new_key("board", ["read"])
OTHER_KEY, OTHER_ENTRY = new_key("wall", ["read"])
LIMIT = WindowLimit(2, 900_000)


def an_app(limits: ClientLimits | None, keys: str = "", origins: tuple[str, ...] = ()) -> FastAPI:
    settings = SharedSettings(api_keys=SecretStr(keys))
    app = create_http_app(
        title="Try",
        service="try",
        health=Health("try", {}),
        settings=settings,
        client_limits=limits,
        origins=origins,
    )
    limited = [Depends(admit_within_limits("read"))]

    @app.get("/read", dependencies=limited)
    async def read(count: Annotated[int, Query(ge=1)] = 1) -> int:
        return count

    @app.get("/unchanged", dependencies=limited)
    async def unchanged() -> Response:
        return Response(status_code=304)

    @app.get("/stream", dependencies=limited)
    async def stream() -> Response:
        return StreamingResponse(iter([b"one", b"two"]))

    @app.get("/internal", dependencies=[Depends(require_scope("read"))])
    async def internal() -> str:
        return "yes"

    return app


def client_of(app: FastAPI, address: str = "198.51.100.7") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 4711)), base_url="http://try.test")


def limits() -> ClientLimits:
    return ClientLimits(SlidingWindows(lambda: 0.0), of_keys=LIMIT, of_addresses=LIMIT)


async def test_a_client_beyond_its_limit_is_told_when_to_come_back() -> None:
    async with client_of(an_app(limits())) as client:
        answers = [await client.get("/read") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers[:2]] == ['"client";r=1;t=900000', '"client";r=0;t=900000']
    refused = answers[2]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["error"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] == 900_000
    assert refused.headers["ratelimit-policy"] == '"client";q=2;w=900000'
    assert refused.headers.get_list("ratelimit") == ['"client";r=0;t=900000']


@pytest.mark.parametrize(
    ("path", "status"), [("/read", 200), ("/read?count=0", 400), ("/unchanged", 304), ("/stream", 200)]
)
async def test_every_kind_of_answer_says_what_is_left(path: str, status: int) -> None:
    async with client_of(an_app(limits())) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["ratelimit"]) == (status, '"client";r=1;t=900000')


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/healthz", "/metrics", "/internal"])
async def test_health_metrics_and_what_is_not_for_clients_are_never_limited(path: str) -> None:
    async with client_of(an_app(limits())) as client:
        answers = [await client.get(path) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert not [answer for answer in answers if "ratelimit" in answer.headers]
        assert (await client.get("/read")).headers["ratelimit"] == '"client";r=1;t=900000'


async def test_a_key_has_one_limit_wherever_it_comes_from_and_another_key_its_own() -> None:
    app = an_app(limits(), f"{ENTRY} {OTHER_ENTRY}")
    statuses = []
    for address, key in (("192.0.2.1", KEY), ("192.0.2.2", KEY), ("192.0.2.3", KEY), ("192.0.2.3", OTHER_KEY)):
        async with client_of(app, address) as client:
            statuses.append((await client.get("/read", headers={"X-API-Key": key})).status_code)
    assert statuses == [200, 200, 429, 200]


async def test_a_refused_key_uses_up_nobodys_limit() -> None:
    async with client_of(an_app(limits(), ENTRY)) as client:
        for _ in range(5):
            answer = await client.get("/read", headers={"X-API-Key": "ut_wrong"})
            assert (answer.status_code, "ratelimit" in answer.headers) == (401, False)
        assert (await client.get("/read", headers={"X-API-Key": KEY})).headers["ratelimit"].startswith('"client";r=1')


async def test_all_addresses_of_an_ipv6_network_are_one_client() -> None:
    app = an_app(limits())
    statuses = []
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3", "2001:db8:1:3::1"):
        async with client_of(app, address) as client:
            statuses.append((await client.get("/read")).status_code)
    assert statuses == [200, 200, 429, 200]


async def test_without_limits_nothing_is_counted_and_nothing_said() -> None:
    async with client_of(an_app(None)) as client:
        answers = [await client.get("/read") for _ in range(5)]
    assert [(answer.status_code, "ratelimit" in answer.headers) for answer in answers] == [(200, False)] * 5


async def test_a_named_page_reads_its_limits_and_no_other_page_may_call() -> None:
    page = "https://board.example.com"
    async with client_of(an_app(limits(), origins=(page,))) as client:
        answers = [await client.get("/read", headers={"Origin": page}) for _ in range(3)]
        stranger = await client.get("/livez", headers={"Origin": "https://evil.example.com"})
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {page}
    assert "access-control-allow-origin" not in stranger.headers
