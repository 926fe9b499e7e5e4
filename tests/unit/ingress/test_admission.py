"""Who is let in, how often, and what is answered beside posts."""

import httpx
import pytest

from services.runtime.api_keys import new_key
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import ONE, an_ingress


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/insights",
        "/api/v1/insights/abc",
        "/api/v1/trends",
        "/api/v1/conversations/conv_1",
        "/api/v1/conversations",
    ],
)
async def test_reads_are_sent_to_the_read_api_with_path_and_query(ingress: httpx.AsyncClient, path: str) -> None:
    answer = await ingress.get(path, params={"limit": "5", "q": "späte Lieferung"})
    assert answer.status_code == 307
    assert answer.headers["location"] == f"http://127.0.0.1:8002{path}?limit=5&q=sp%C3%A4te+Lieferung"


async def test_other_methods_are_405_and_name_what_is_possible(ingress: httpx.AsyncClient) -> None:
    answer = await ingress.put(ONE, json={"text": "a"})
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_the_instances_bucket_answers_429_with_when_to_come_back() -> None:
    async with an_ingress(FakePublisher(), requests_per_second=0.01, burst=2) as ingress:
        answers = [await ingress.post(ONE, json={"text": "a"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        refused = answers[2]
        assert refused.json()["error"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] == 100
        assert [answer.headers["ratelimit"] for answer in answers] == [
            '"instance";r=1;t=200',
            '"instance";r=0;t=200',
            '"instance";r=0;t=100',
        ]
        assert (await ingress.get("/livez")).status_code == 200
        assert (await ingress.get("/metrics")).status_code == 200


async def test_an_address_has_a_limit_of_its_own_and_a_forged_header_changes_nothing() -> None:
    async with an_ingress(FakePublisher(), anonymous_limit="2/60s") as ingress:
        statuses = [
            (
                await ingress.post(ONE, json={"text": "a"}, headers={"X-Forwarded-For": f"203.0.113.{number}"})
            ).status_code
            for number in range(3)
        ]
    assert statuses == [202, 202, 429]


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit() -> None:
    async with an_ingress(FakePublisher(), anonymous_limit="1/60s", trusted_proxies="198.51.100.0/24") as ingress:
        statuses = [
            (await ingress.post(ONE, json={"text": "a"}, headers={"X-Forwarded-For": client})).status_code
            for client in ("203.0.113.1", "203.0.113.2", "203.0.113.1", "6.6.6.6, 203.0.113.2")
        ]
    assert statuses == [202, 202, 429, 429]


async def test_with_keys_configured_a_post_needs_one_with_the_scope() -> None:
    writer, writer_entry = new_key("shop", ["ingest"])
    reader, reader_entry = new_key("board", ["read"])
    keys = f"{writer_entry} {reader_entry}"
    async with an_ingress(FakePublisher(), api_keys=keys) as ingress:

        async def status(headers: dict[str, str]) -> int:
            return (await ingress.post(ONE, json={"text": "a"}, headers=headers)).status_code

        assert await status({}) == 401
        assert await status({"X-API-Key": "ut_wrong"}) == 401
        assert await status({"Authorization": f"Basic {writer}"}) == 401
        assert await status({"X-API-Key": reader}) == 403
        assert await status({"X-API-Key": writer}) == 202
        assert await status({"Authorization": f"Bearer {writer}"}) == 202


async def test_a_refused_key_costs_the_others_no_budget() -> None:
    key, entry = new_key("shop", ["ingest"])
    async with an_ingress(FakePublisher(), api_keys=entry, requests_per_second=0.01, burst=1) as ingress:
        for _ in range(3):
            assert (await ingress.post(ONE, json={"text": "a"})).status_code == 401
        assert (await ingress.post(ONE, json={"text": "a"}, headers={"X-API-Key": key})).status_code == 202


async def test_readiness_says_that_kafka_is_away_and_liveness_does_not_care() -> None:
    async with an_ingress(FakePublisher(is_away=True)) as ingress:
        ready = await ingress.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["kafka"] == {"ok": False, "detail": "Kafka does not answer at kafka.test:9092"}
        assert (await ingress.get("/livez")).status_code == 200
        assert (await ingress.get("/healthz")).json()["status"] == "degraded"
