"""Two ingresses on one Redis: a client has one limit at both, and Redis' death costs nobody a request."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.runtime.api_keys import new_key
from tests.http_client import http_client
from tests.infrastructure.redis_server import RedisServer, running_redis
from tests.integration.ingress.serving import serving
from tests.waiting import eventually

ONE = "/api/v1/conversations"
KEY, ENTRY = new_key("shop", ["ingest"])


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@asynccontextmanager
async def two_ingresses(server: RedisServer, **settings: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    shared: dict[str, Any] = {"redis_url": SecretStr(server.url), **settings}
    async with (
        serving(**shared) as one,
        serving(**shared) as other,
        http_client(base_url=one.url) as at_one,
        http_client(base_url=other.url) as at_other,
    ):
        yield [at_one, at_other]


async def statuses(client: httpx.AsyncClient, times: int, **headers: str) -> list[int]:
    return [(await client.post(ONE, json={"text": "a"}, headers=headers)).status_code for _ in range(times)]


async def unshared(client: httpx.AsyncClient) -> float:
    match = re.search(r"^undertone_limits_unshared_total (\S+)$", (await client.get("/metrics")).text, re.MULTILINE)
    assert match is not None
    return float(match[1])


async def test_an_address_has_one_limit_at_both(redis_server: RedisServer) -> None:
    async with two_ingresses(redis_server, anonymous_limit="4/900000s") as (one, other):
        assert await statuses(one, 3) == [202, 202, 202]
        answer = await other.post(ONE, json={"text": "a"})
        assert (answer.status_code, answer.headers["ratelimit"]) == (202, '"client";r=0;t=900000')
        refused = await other.post(ONE, json={"text": "a"})
        assert refused.status_code == 429
        assert 0 < refused.json()["retry_after"] <= 900_000
        assert (await one.get("/health")).json()["client_limits"] == f"Redis at 127.0.0.1:{redis_server.port}"


async def test_a_key_has_one_limit_at_both(redis_server: RedisServer) -> None:
    async with two_ingresses(redis_server, client_limit="2/900000s", anonymous_limit="1/900000s", api_keys=ENTRY) as (
        one,
        other,
    ):
        shown = {"X-API-Key": KEY}
        assert await statuses(one, 1, **shown) + await statuses(other, 2, **shown) == [202, 202, 429]


async def test_redis_killed_and_started_again_is_never_seen_by_a_client(redis_server: RedisServer) -> None:
    async with two_ingresses(redis_server, anonymous_limit="5/900000s") as (one, other):
        assert await statuses(one, 2) == [202, 202]
        before = await unshared(one)
        await redis_server.kill()
        assert await statuses(one, 4) == [202, 202, 202, 429]
        assert await statuses(other, 6) == [202] * 5 + [429]
        assert await unshared(one) - before == 10  # both run in this process, so that they count together
        ready = await one.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["client_limits"].startswith("memory, because Redis at ")
        await redis_server.start()

        async def are_shared() -> bool:
            await statuses(one, 1)
            await statuses(other, 1)
            descriptions = [(await client.get("/health")).json()["client_limits"] for client in (one, other)]
            return not any("memory" in description for description in descriptions)

        await eventually(are_shared, what="both count in Redis again")
        assert 429 in await statuses(one, 5)


async def test_they_start_while_redis_is_away(redis_server: RedisServer) -> None:
    await redis_server.kill()
    async with two_ingresses(redis_server, anonymous_limit="1/900000s") as (one, other):
        assert await statuses(one, 2) + await statuses(other, 2) == [202, 429, 202, 429]
