"""Each fault of the simulator, and what the engine makes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.insight_produced import Path
from services.analyzer.engine import (
    Answer,
    AnswerTruncated,
    AnswerUnusable,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Finding,
    Refusal,
    Task,
)
from services.analyzer.llm.engine import LlmEngine
from tests.integration.llm.conftest import OpenEngine
from tests.llm_tasks import TASKS, a_task
from tests.waiting import eventually
from undertone.simulator.conduct import FaultKind
from undertone.simulator.server import Running

Misbehave = Callable[..., None]


def findings_of(answer: Answer) -> list[Finding]:
    return [result for result in answer.results if isinstance(result, Finding)]


def refusals_of(answer: Answer) -> list[Refusal]:
    return [result for result in answer.results if isinstance(result, Refusal)]


def assert_quoted(tasks: list[Task], answer: Answer) -> None:
    for task, result in zip(tasks, answer.results, strict=True):
        if isinstance(result, Finding):
            assert any(result.evidence in turn.text for turn in task.turns)
            others = [turn.text.lower() for other in tasks if other is not task for turn in other.turns]
            assert not any(result.evidence.lower() in text for text in others)


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


@pytest.mark.parametrize(
    ("kind", "conditions", "error"),
    [
        (FaultKind.RATE_LIMITED, {"retry_after_seconds": 7}, EngineLimited),
        (FaultKind.NO_CREDIT, {}, EngineMisconfigured),
        (FaultKind.BAD_KEY, {}, EngineMisconfigured),
        (FaultKind.UNKNOWN_MODEL, {}, EngineMisconfigured),
        (FaultKind.CONTENT_REFUSED, {}, AnswerUnusable),
        (FaultKind.PROMPT_TOO_LONG, {}, AnswerTruncated),
        (FaultKind.SERVER_ERROR, {"status": 500}, EngineUnavailable),
        (FaultKind.SERVER_ERROR, {"status": 503, "retry_after_seconds": 3}, EngineUnavailable),
        (FaultKind.RESET, {}, EngineUnavailable),
        (FaultKind.CUT_BODY, {}, EngineUnavailable),
        (FaultKind.NOT_JSON, {}, EngineUnavailable),
        (FaultKind.COMPRESSED, {}, EngineUnavailable),
        (FaultKind.HUGE, {}, AnswerUnusable),
        (FaultKind.MALFORMED, {}, AnswerUnusable),
        (FaultKind.EMPTY, {}, AnswerUnusable),
        (FaultKind.DECLINED, {}, AnswerUnusable),
    ],
)
async def test_a_failed_call_says_what_it_was_and_the_next_one_succeeds(
    engine: LlmEngine, misbehave: Misbehave, kind: FaultKind, conditions: dict[str, Any], error: type[EngineError]
) -> None:
    misbehave(kind, times=1, **conditions)

    with pytest.raises(error) as raised:
        await engine.analyze(TASKS)
    answer = await engine.analyze(TASKS)

    assert "parcel" not in raised.value.reason
    assert "a-key" not in raised.value.reason
    assert len(findings_of(answer)) == len(TASKS)


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_retry_after_of_an_hour_is_read_as_seconds_and_as_a_date(
    engine: LlmEngine, misbehave: Misbehave, as_date: bool
) -> None:
    misbehave(FaultKind.RATE_LIMITED, retry_after_seconds=3600, as_date=as_date)

    with pytest.raises(EngineLimited) as raised:
        await engine.analyze(TASKS)

    assert raised.value.hold_seconds == pytest.approx(3600, abs=2)


async def test_an_endpoint_that_hangs_is_given_up_after_the_timeout(
    open_engine: OpenEngine, misbehave: Misbehave
) -> None:
    misbehave(FaultKind.HANG)

    async with open_engine(timeout_seconds=0.3) as engine:
        began = asyncio.get_running_loop().time()
        with pytest.raises(EngineUnavailable, match=r"within 0\.3 s"):
            await engine.analyze(TASKS)

    assert asyncio.get_running_loop().time() - began < 2


async def test_a_cancelled_call_closes_its_connection(
    engine: LlmEngine, misbehave: Misbehave, simulator: Running
) -> None:
    misbehave(FaultKind.HANG)
    call = asyncio.create_task(engine.analyze(TASKS))
    await eventually(lambda: simulator.simulator.statistics.calls == 1, within_seconds=5)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update={"faults": ()})
    assert len(findings_of(await engine.analyze(TASKS))) == len(TASKS)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.MISSING, "missing_result"),
        (FaultKind.DUPLICATED, "duplicated_result"),
        (FaultKind.FOREIGN, "missing_result"),
        (FaultKind.OUT_OF_RANGE, "out_of_range"),
        (FaultKind.WRONG_TYPES, "wrong_type"),
        (FaultKind.OVER_LONG, "too_long"),
        (FaultKind.NO_EVIDENCE, "evidence_not_found"),
        (FaultKind.NOT_A_NUMBER, "out_of_range"),
        (FaultKind.BROKEN_RESULT, "malformed"),
        (FaultKind.INJECTED, "evidence_not_found"),
    ],
)
async def test_a_bad_result_is_refused_and_hurts_no_neighbour(
    engine: LlmEngine, misbehave: Misbehave, kind: FaultKind, reason: str
) -> None:
    misbehave(kind, when="parcel")

    answer = await engine.analyze(TASKS)

    assert [refusal.reason for refusal in refusals_of(answer)] == [reason]
    assert isinstance(answer.results[0], Refusal)
    assert not answer.results[0].is_final
    assert len(findings_of(answer)) == len(TASKS) - 1
    assert_quoted(TASKS, answer)


async def test_swapped_results_are_both_refused(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.SWAPPED, when="parcel")

    answer = await engine.analyze(TASKS)

    assert [refusal.reason for refusal in refusals_of(answer)] == ["evidence_of_another"] * 2


async def test_of_a_truncated_answer_the_complete_results_are_taken(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.TRUNCATED)

    answer = await engine.analyze(TASKS)

    assert findings_of(answer)
    assert {refusal.reason for refusal in refusals_of(answer)} == {"truncated"}


async def test_an_answer_truncated_before_its_first_result_asks_for_smaller_batches(
    engine: LlmEngine, misbehave: Misbehave
) -> None:
    misbehave(FaultKind.TRUNCATED)

    with pytest.raises(AnswerTruncated):
        await engine.analyze(TASKS[:1])


async def test_json_in_a_code_fence_is_read(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.IN_A_FENCE)

    assert len(findings_of(await engine.analyze(TASKS))) == len(TASKS)


@pytest.mark.parametrize("kind", [FaultKind.CONTENT_REFUSED, FaultKind.DECLINED])
async def test_a_conversation_that_is_declined_alone_fails_for_good(
    engine: LlmEngine, misbehave: Misbehave, kind: FaultKind
) -> None:
    misbehave(kind, when="parcel")

    answer = await engine.analyze(TASKS[:1])

    assert answer.results == (Refusal("content_refused", answer.results[0].detail, is_final=True),)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.SCHEMA_REFUSED,
        FaultKind.EFFORT_REFUSED,
        FaultKind.TEMPERATURE_REFUSED,
        FaultKind.SIZE_REFUSED,
    ],
)
async def test_a_feature_that_the_endpoint_refuses_is_left_out_from_then_on(
    engine: LlmEngine, misbehave: Misbehave, simulator: Running, kind: FaultKind
) -> None:
    misbehave(kind)

    calls = await asyncio.gather(*(engine.analyze(TASKS) for _ in range(5)), return_exceptions=True)
    after = await engine.analyze(TASKS)

    assert all(isinstance(call, EngineLimited) and call.hold_seconds == 0 for call in calls)
    assert len(findings_of(after)) == len(TASKS)
    assert simulator.simulator.statistics.outcomes[kind] >= 5


async def test_an_endpoint_that_knows_no_formats_is_asked_without_one(
    engine: LlmEngine, misbehave: Misbehave, simulator: Running
) -> None:
    misbehave(FaultKind.FORMAT_REFUSED)

    for _ in ("json_schema", "json_object"):
        with pytest.raises(EngineLimited):
            await engine.analyze(TASKS)

    assert len(findings_of(await engine.analyze(TASKS))) == len(TASKS)
    assert simulator.simulator.statistics.calls == 3


async def test_a_prompt_that_is_too_long_even_for_one_conversation_is_a_wrong_setting(
    engine: LlmEngine, misbehave: Misbehave
) -> None:
    misbehave(FaultKind.PROMPT_TOO_LONG)

    with pytest.raises(EngineMisconfigured, match="even for one"):
        await engine.analyze(TASKS[:1])


async def test_an_endpoint_that_refuses_every_request_is_misconfigured(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.REQUEST_REFUSED)

    with pytest.raises(EngineMisconfigured):
        await engine.analyze(TASKS)


async def test_an_endpoint_that_refuses_one_conversation_is_not(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.REQUEST_REFUSED, when="parcel")
    await engine.analyze(TASKS[1:])

    for _ in range(15):
        with pytest.raises(AnswerUnusable):
            await engine.analyze(TASKS)


async def test_a_model_that_writes_nothing_readable_any_more_is_an_outage(
    engine: LlmEngine, misbehave: Misbehave
) -> None:
    misbehave(FaultKind.MALFORMED)

    errors = await asyncio.gather(*(engine.analyze(TASKS) for _ in range(21)), return_exceptions=True)

    assert [type(error) for error in errors[:20]] == [AnswerUnusable] * 20
    assert isinstance(errors[20], EngineUnavailable)


async def test_the_key_is_sent_and_a_wrong_one_is_named_as_such(open_engine: OpenEngine, simulator: Running) -> None:
    simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update={"api_key": "another-key"})

    async with open_engine() as engine:
        with pytest.raises(EngineMisconfigured, match="XAI_API_KEY") as raised:
            await engine.analyze(TASKS)

    assert "a-key" not in str(raised.value)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/v1", "ftp://127.0.0.1/v1", "http://[::1", "nonsense"])
async def test_an_address_that_leads_nowhere_is_an_outage_or_a_wrong_setting(
    open_engine: OpenEngine, base_url: str
) -> None:
    expected = EngineUnavailable if base_url.startswith("http://127") else EngineMisconfigured

    with pytest.raises(expected):
        async with open_engine(base_url=base_url) as engine:
            await engine.analyze(TASKS)


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


async def test_warming_an_endpoint_that_is_away_harms_nothing(open_engine: OpenEngine) -> None:
    async with open_engine(base_url="http://127.0.0.1:1/v1") as engine:
        await engine.warm(3)


async def test_twins_are_sent_once_and_one_within_another_waits(engine: LlmEngine, simulator: Running) -> None:
    tasks = [a_task("Where is my parcel?"), a_task("where is  my PARCEL?"), a_task("my parcel", "Where is my parcel?")]

    answer = await engine.analyze([*tasks[:2], a_task("Where is my parcel? I am so angry about it.")])

    assert [type(result).__name__ for result in answer.results] == ["Refusal", "Refusal", "Finding"]
    assert refusals_of(answer)[0].reason == "indistinguishable"
    twins = await engine.analyze(tasks[:2])
    assert [finding.evidence for finding in findings_of(twins)] == ["Where is my parcel?", "where is  my PARCEL?"]
    assert [finding.input_tokens > 0 for finding in findings_of(twins)] == [True, False]
    assert sum(simulator.simulator.statistics.batch_sizes.elements()) == 2


async def test_an_empty_batch_makes_no_call(engine: LlmEngine, simulator: Running) -> None:
    assert await engine.analyze([]) == Answer(())
    assert simulator.simulator.statistics.calls == 0


@pytest.mark.parametrize(
    "kind",
    [FaultKind.SERVER_ERROR, FaultKind.MALFORMED, FaultKind.INJECTED, FaultKind.SCHEMA_REFUSED, FaultKind.BAD_KEY],
)
async def test_neither_words_nor_key_nor_completion_enter_a_log(
    engine: LlmEngine, misbehave: Misbehave, caplog: pytest.LogCaptureFixture, kind: FaultKind
) -> None:
    caplog.set_level("DEBUG", logger="services")
    caplog.set_level("INFO")  # httpx writes one line a request
    misbehave(kind)

    outcome = await asyncio.gather(engine.analyze(TASKS), return_exceptions=True)

    logged = "\n".join(str(vars(record)) for record in caplog.records) + repr(outcome if kind in _FAILING else "")
    assert caplog.records
    for secret in ("a-key", "parcel", "IGNORE ALL", "Lisbon"):
        assert secret not in logged


_FAILING = {FaultKind.SERVER_ERROR, FaultKind.MALFORMED, FaultKind.SCHEMA_REFUSED, FaultKind.BAD_KEY}
