"""What the read API limits on a real database, and what it does not."""

import httpx
from pydantic import SecretStr

from services.runtime.api_keys import new_key
from tests.infrastructure import Infrastructure
from tests.integration.sink.reads.reading import client_of
from tests.integration.sink.running import sink_settings

KEY, ENTRY = new_key("board", ["read"])
OPERATOR_KEY, OPERATOR_ENTRY = new_key("analyzer", ["operate"])


async def statuses(client: httpx.AsyncClient, path: str, times: int, key: str) -> list[int]:
    return [(await client.get(path, headers={"X-API-Key": key})).status_code for _ in range(times)]


async def test_reads_share_the_limit_of_their_key(infrastructure: Infrastructure, database_url: str) -> None:
    settings = sink_settings(
        infrastructure.bootstrap_servers, database_url, "limits.", client_limit="3/900000s", api_keys=SecretStr(ENTRY)
    )
    async with client_of(settings) as client:
        found = [
            (await client.get(path, headers={"X-API-Key": KEY})).status_code
            for path in ("/api/v1/insights", "/api/v1/conversations/none", "/api/v1/trends", "/api/v1/status")
        ]
        assert found == [200, 404, 200, 429]
        assert await statuses(client, "/livez", 3, KEY) == [200] * 3
        described = (await client.get("/health", headers={"X-API-Key": KEY})).json()
        assert described["client_limits"] == "memory"


async def test_the_analyzers_look_up_is_never_limited(infrastructure: Infrastructure, database_url: str) -> None:
    settings = sink_settings(
        infrastructure.bootstrap_servers,
        database_url,
        "limits.",
        client_limit="1/900000s",
        api_keys=SecretStr(OPERATOR_ENTRY),
    )
    async with client_of(settings) as client:
        answers = [
            await client.post("/internal/v1/insights/lookup", json={}, headers={"X-API-Key": OPERATOR_KEY})
            for _ in range(5)
        ]
    assert [answer.status_code for answer in answers] == [200] * 5
