"""What the engine makes of a well-behaved endpoint."""

import asyncio

import pytest

from schemas.insight_produced import Path
from services.analyzer.engine import Answer
from services.analyzer.llm.client import ChatClient, open_chat_client
from services.analyzer.llm.engine import LlmEngine
from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.prompt import write_prompt
from tests.integration.llm.answers import assert_quoted, findings_of
from tests.integration.llm.conftest import OpenEngine
from tests.llm_tasks import TASKS
from tests.waiting import eventually
from undertone.simulator.server import Running


async def test_one_call_gives_a_finding_for_each_conversation(engine: LlmEngine, simulator: Running) -> None:
    answer = await engine.analyze(TASKS)

    assert len(findings_of(answer)) == len(TASKS)
    assert_quoted(TASKS, answer)
    assert simulator.simulator.statistics.calls == 1
    assert {finding.path for finding in findings_of(answer)} == {Path.LLM}
    assert findings_of(answer)[0].sentiment_score < 0 < findings_of(answer)[1].sentiment_score


async def test_the_shares_of_tokens_and_cost_add_up_to_what_the_call_used(
    engine: LlmEngine, simulator: Running
) -> None:
    answer = await engine.analyze(TASKS)

    findings = findings_of(answer)
    assert sum(finding.input_tokens for finding in findings) == answer.usage.input_tokens
    assert sum(finding.output_tokens for finding in findings) == answer.usage.output_tokens
    assert sum(finding.cost_usd for finding in findings) == pytest.approx(answer.usage.cost_usd)
    assert answer.usage.cost_usd == pytest.approx(simulator.simulator.statistics.cost_usd)


async def test_the_instructions_are_served_from_the_prompt_cache_from_the_second_call_on(engine: LlmEngine) -> None:
    first = await engine.analyze(TASKS)
    second = await engine.analyze(TASKS)

    assert first.usage.cached_input_tokens == 0 < second.usage.cached_input_tokens


async def test_without_a_stated_cost_the_price_table_gives_the_same(engine: LlmEngine, simulator: Running) -> None:
    await engine.analyze(TASKS)  # from the second call on the instructions are cached
    stated = await engine.analyze(TASKS)
    simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update={"states_cost": False})
    computed = await engine.analyze(TASKS)

    assert computed.usage.cost_usd == pytest.approx(stated.usage.cost_usd)


async def test_the_estimate_before_a_call_is_not_below_what_it_costs(engine: LlmEngine) -> None:
    estimate = engine.estimate_usage(TASKS)
    answer = await engine.analyze(TASKS)

    assert estimate.input_tokens + estimate.output_tokens == engine.call_tokens + sum(
        map(engine.estimate_tokens, TASKS)
    )
    assert answer.usage.input_tokens <= estimate.input_tokens
    assert answer.usage.cost_usd <= estimate.cost_usd


async def test_the_limits_that_the_provider_states_are_kept(open_engine: OpenEngine, simulator: Running) -> None:
    limits = {"calls_per_second": 8, "tokens_per_minute": 90_000}
    simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update=limits)

    async with open_engine() as engine:
        assert engine.rate_limits is None
        await engine.analyze(TASKS)
        assert engine.rate_limits is not None
        assert (engine.rate_limits.requests, engine.rate_limits.tokens) == (8, 90_000)
        assert (engine.rate_limits.requests_left, engine.rate_limits.requests_reset_seconds) == (7, 1.0)


async def test_warm_connections_cost_no_call(engine: LlmEngine, simulator: Running) -> None:
    await engine.warm(5)

    assert simulator.simulator.statistics.calls == 0


async def test_while_calls_are_in_flight_one_more_connection_is_open_than_they_use(
    simulator: Running,
) -> None:
    simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update={"latency_seconds": 60})
    async with open_chat_client(LlmOptions(base_url=simulator.base_url)) as client:
        calls = []
        for in_flight in range(1, 6):
            calls.append(asyncio.create_task(client.complete(client.prepare(write_prompt(TASKS, 12_000)))))
            await eventually(lambda wanted=in_flight + 1: _are_open(client, wanted))  # type: ignore[misc]
        assert simulator.simulator.statistics.calls == len(calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def _are_open(client: ChatClient, wanted: int) -> bool:
    assert client.connections.opened == wanted
    return True


async def test_warming_an_endpoint_that_is_away_harms_nothing(open_engine: OpenEngine) -> None:
    async with open_engine(base_url="http://127.0.0.1:1/v1") as engine:
        await engine.warm(3)


async def test_an_empty_batch_makes_no_call(engine: LlmEngine, simulator: Running) -> None:
    assert await engine.analyze([]) == Answer(())
    assert simulator.simulator.statistics.calls == 0
