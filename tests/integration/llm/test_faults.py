"""Calls that fail as a whole: what each fault of the endpoint is taken for."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from services.analyzer.engine import (
    AnswerTruncated,
    AnswerUnusable,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Refusal,
)
from services.analyzer.llm.engine import LlmEngine
from tests.integration.llm.answers import findings_of
from tests.integration.llm.conftest import OpenEngine
from tests.llm_tasks import TASKS
from tests.waiting import eventually
from undertone.simulator.conduct import FaultKind
from undertone.simulator.server import Running

Misbehave = Callable[..., None]


_FAILING = {FaultKind.SERVER_ERROR, FaultKind.MALFORMED, FaultKind.SCHEMA_REFUSED, FaultKind.BAD_KEY}


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


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.STALL])
async def test_an_endpoint_that_hangs_before_or_within_its_answer_is_given_up_after_the_timeout(
    open_engine: OpenEngine, misbehave: Misbehave, kind: FaultKind
) -> None:
    misbehave(kind)

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

    # Which of them is answered last is not said.
    assert Counter(map(type, errors)) == {AnswerUnusable: 20, EngineUnavailable: 1}


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
