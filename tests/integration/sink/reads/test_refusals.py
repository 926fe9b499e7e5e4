"""When the read API has no answer: keys, time, and no database."""

from pydantic import SecretStr

from schemas.insight_produced import InsightProduced
from services.runtime.api_keys import new_key
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.integration.sink.reads.reading import (
    WHOLE,
    Answer,
    client_of,
)
from tests.integration.sink.running import sink_settings


async def test_without_postgres_the_answer_is_a_503_problem(infrastructure: Infrastructure) -> None:
    away = sink_settings(infrastructure.bootstrap_servers, "postgresql://undertone@127.0.0.1:1/nothing", "nobody.")
    async with client_of(away) as client:
        for path in ("/api/v1/insights", "/api/v1/trends", "/api/v1/conversations/c1", "/api/v1/status"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]) == (503, "database_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert (await client.get("/readyz")).status_code == 503
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["db_ok"]) == (200, "degraded", False)


async def test_a_question_that_takes_too_long_is_given_up(settings: SinkSettings, known: list[InsightProduced]) -> None:
    impatient = settings.model_copy(update={"query_timeout_seconds": 0.001})
    async with client_of(impatient) as client:
        answer = await client.get("/api/v1/insights", params={**WHOLE, "q": "words"})
        assert (answer.status_code, answer.json()["error"]) == (503, "query_timeout")


async def test_keys_with_the_right_scope_are_asked_for(settings: SinkSettings, known: list[InsightProduced]) -> None:
    reader, reader_line = new_key("shop", ["read"])
    operator, operator_line = new_key("ops", ["read", "operate"])
    keyed = settings.model_copy(update={"api_keys": SecretStr(f"{reader_line} {operator_line}")})
    async with client_of(keyed) as client:
        assert (await client.get("/api/v1/insights")).status_code == 401
        assert (await client.get("/api/v1/insights", headers={"X-API-Key": reader})).status_code == 200
        body: Answer = {"pairs": []}
        lookup = "/internal/v1/insights/lookup"
        assert (await client.post(lookup, json=body, headers={"X-API-Key": reader})).status_code == 403
        assert (await client.post(lookup, json=body, headers={"X-API-Key": operator})).status_code == 200
