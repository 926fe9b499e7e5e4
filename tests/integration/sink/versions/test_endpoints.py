"""Versions over HTTP: listed, compared, decided on, and what readers see by default."""

import statistics
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.runtime.api_keys import new_key
from services.sink.app import create_app
from services.sink.resources import Resources, open_resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.integration.sink.harness import NOW, insight
from tests.integration.sink.running import sink_settings
from tests.integration.sink.versions.world import World, at, name

PATH = "/api/v1/versions"
WINDOW = {"start_time": NOW.isoformat(), "end_time": (NOW + timedelta(days=3)).isoformat()}
SCORES = {"v1": [-0.9, -0.5, 0.0, 0.1, 0.6, 0.9], "v2": [0.8, -0.4, 0.0, -0.6, 0.7, 0.9]}


@pytest.fixture
def settings(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)


@pytest.fixture
async def client(settings: SinkSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with open_resources(settings) as resources:
        yield client_of(settings, resources)


def client_of(settings: SinkSettings, resources: Resources) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings, resources, Role.API, None), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://read-api")


@pytest.fixture
async def compared(world: World) -> World:
    """Six conversations under both versions, a seventh under `v1` alone."""
    await world.receive(range(7))
    for version, scores in SCORES.items():
        topics = ["delivery"] if version == "v1" else ["delivery", "refund"]
        await world.sink.finish(
            *(
                insight(name(number), "words", number, version=version, score=score, at=at(number), topics=topics)
                for number, score in enumerate(scores)
            )
        )
    await world.analyse([6])
    await world.sink.pool.execute(  # the second came by live traffic in this test, and was activated by it
        "UPDATE analysis_versions SET state = 'candidate', activated_at = NULL WHERE name = 'v2'"
    )
    await world.sink.pool.execute("UPDATE analysis_versions SET state = 'active' WHERE name = 'v1'")
    return world


async def get(client: httpx.AsyncClient, path: str = PATH, **parameters: Any) -> Any:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.usefixtures("compared")
async def test_the_list_says_how_each_version_stands(client: httpx.AsyncClient) -> None:
    found = await get(client)
    assert (found["accepted"], found["active_version"], found["announced"]) == (7, "v1", True)
    v1, v2 = found["versions"]
    assert (v1["analysis_version"], v1["state"], v1["is_live"], v1["missing"]) == ("v1", "active", True, 0)
    assert (v2["state"], v2["is_live"], v2["missing"], v2["in_flight"]) == ("candidate", False, 1, 0)
    assert v2["counts"] == {"completed": 6, "skipped": 0, "failed": 0}


@pytest.mark.usefixtures("compared")
async def test_a_comparison_has_the_table_the_correlation_the_topics_and_the_quotes(client: httpx.AsyncClient) -> None:
    found = await get(client, f"{PATH}/v1/diff/v2", **WINDOW, limit=2)
    assert found["compared"] == 6
    assert found["sentiments"]["negative"] == {"negative": 1, "neutral": 0, "positive": 1}
    assert found["sentiments"]["neutral"] == {"negative": 1, "neutral": 1, "positive": 0}
    assert found["sentiments"]["positive"] == {"negative": 0, "neutral": 0, "positive": 2}
    assert found["agreement"] == pytest.approx(4 / 6, abs=1e-4)
    expected = statistics.correlation(SCORES["v1"], SCORES["v2"])
    assert found["scores"]["correlation"] == pytest.approx(expected, abs=1e-4)
    assert found["scores"]["n"] == 6
    assert found["scores"]["average"]["a"] == pytest.approx(statistics.mean(SCORES["v1"]), abs=1e-4)
    assert found["topics"] == [{"topic": "refund", "a": 0, "b": 6}]
    assert [one["conversation_id"] for one in found["most_disagreeing"]] == [name(0), name(3)]
    first = found["most_disagreeing"][0]
    assert (first["difference"], first["a"]["sentiment"], first["b"]["sentiment"]) == (1.7, "negative", "positive")
    assert first["a"]["evidence"] == first["b"]["evidence"] == "words"
    assert found["missing"] == {"a": 0, "b": 1}
    assert set(found["cost"]) == {"a", "b"}


@pytest.mark.usefixtures("compared")
async def test_a_comparison_of_nothing_has_no_correlation(client: httpx.AsyncClient) -> None:
    found = await get(client, f"{PATH}/v1/diff/v2", start_time="2020-01-01T00:00:00Z", end_time="2020-01-02T00:00:00Z")
    assert (found["compared"], found["agreement"], found["scores"]["correlation"]) == (0, None, None)
    assert (await client.get(f"{PATH}/v1/diff/nobody")).status_code == 404


async def test_what_is_missing_is_listed_page_by_page(client: httpx.AsyncClient, world: World) -> None:
    await world.receive(range(30))
    await world.analyse(range(30))
    await world.analyse(range(0, 30, 3), "v2")
    listed: list[str] = []
    cursor = None
    while True:
        page = await get(client, f"{PATH}/v2/missing", limit=7, **({"cursor": cursor} if cursor else {}))
        listed += page["conversation_ids"]
        cursor = page["metadata"]["next_cursor"]
        if cursor is None:
            break
    assert sorted(listed) == [name(number) for number in range(30) if number % 3]
    refused = await client.get(f"{PATH}/v1/missing", params={"cursor": "forged"})
    assert refused.json()["errors"][0]["field"] == "cursor"


async def test_promotion_changes_what_readers_see_and_says_what_lacks(
    client: httpx.AsyncClient, compared: World
) -> None:
    refused = await client.post(f"{PATH}/v2/promotion")
    assert (refused.status_code, refused.json()["error"], refused.json()["missing"]) == (409, "coverage_incomplete", 1)
    before = await get(client, "/api/v1/insights", **WINDOW)
    assert (before["metadata"]["analysis_version"], before["metadata"]["missing_under_version"]) == ("v1", 0)
    done = (await client.post(f"{PATH}/v2/promotion", json={"now": True, "note": "better"})).json()
    assert (done["changed"], done["previous"], done["missing"]) == (True, "v1", 1)
    after = await get(client, "/api/v1/insights", **WINDOW)
    assert (after["metadata"]["analysis_version"], after["metadata"]["total_count"]) == ("v2", 6)
    assert after["metadata"]["missing_under_version"] == 1
    assert (await get(client, "/api/v1/trends", **WINDOW))["missing_under_version"] == 1
    under_v1 = await get(client, "/api/v1/insights", **WINDOW, analysis_version="v1")
    assert (under_v1["metadata"]["total_count"], under_v1["metadata"]["missing_under_version"]) == (7, None)
    await compared.analyse([6], "v2")
    assert (await get(client, "/api/v1/insights", **WINDOW))["metadata"]["missing_under_version"] == 0


@pytest.mark.usefixtures("compared")
async def test_a_page_of_the_version_before_is_not_continued_by_the_next_one(client: httpx.AsyncClient) -> None:
    page = await get(client, "/api/v1/insights", **WINDOW, limit=2)
    await client.post(f"{PATH}/v2/promotion", json={"now": True})
    answer = await client.get("/api/v1/insights", params={"cursor": page["metadata"]["next_cursor"], "limit": 2})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.usefixtures("compared")
async def test_a_decision_says_whether_the_analyzers_were_told(
    settings: SinkSettings, client: httpx.AsyncClient
) -> None:
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    async with open_resources(away) as resources:
        begun = (await client_of(away, resources).post(f"{PATH}/v3/trial")).json()
    assert (begun["changed"], begun["announced"]) == (True, False)
    assert not (await get(client))["announced"]
    again = (await client.post(f"{PATH}/v3/trial")).json()
    assert not again["changed"]
    assert (await client.post(f"{PATH}/v3/trial-end")).json()["changed"]


@pytest.mark.usefixtures("compared")
async def test_deciding_needs_the_scope_operate(settings: SinkSettings) -> None:
    key, entry = new_key("reader", ["read"])
    guarded = settings.model_copy(update={"api_keys": SecretStr(entry)})
    async with open_resources(guarded) as resources:
        client = client_of(guarded, resources)
        client.headers["X-API-Key"] = key
        assert (await client.get(PATH)).status_code == 200
        for path in ("v2/trial", "v2/trial-end", "v2/promotion", "rollback", "v2/retirement"):
            assert (await client.post(f"{PATH}/{path}")).status_code == 403
