"""A provider that hangs, fails, limits or asks for an hour: it is waited for, and no conversation pays for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from schemas.analysis_control import HoldDeclared
from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import decode
from schemas.conversation_received import ConversationReceived
from schemas.insight_produced import InsightProduced
from schemas.topics import CONTROL
from services.analyzer.calls import OUTAGES_AN_ATTEMPT
from services.analyzer.llm.engine import open_llm_engine
from services.analyzer.llm.options import LlmOptions
from services.analyzer.metrics import COST, COST_ESTIMATED, REPEATED
from services.runtime.metrics import Counter
from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import InProcess, both_own_half
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.server import Running, running_simulator

FAST = Conduct(latency_seconds=0.02, seconds_per_output_token=0)
StartLlm = Callable[..., Awaitable[InProcess]]


@pytest.fixture
async def provider() -> AsyncIterator[Running]:
    async with running_simulator(FAST) as running:
        yield running


@pytest.fixture
async def start_llm(provider: Running, start_here: StartHere) -> AsyncIterator[StartLlm]:
    """Start analyzers in this process that call the provider."""
    async with AsyncExitStack() as engines:
        started: list[InProcess] = []

        async def start(*, timeout_seconds: float = 10.0, **overrides: Any) -> InProcess:
            options = LlmOptions(base_url=provider.base_url, timeout_seconds=timeout_seconds)
            engine = await engines.enter_async_context(open_llm_engine(options))
            quickly: dict[str, Any] = {
                "calls_per_second": 25,
                "max_batch": 5,
                "backoff_seconds": 0.05,
                "breaker_cooldown_seconds": 0.3,
                "daily_budget_usd": "unlimited",
            }
            analyzer = await start_here(engine, **(quickly | overrides))
            started.append(analyzer)
            return analyzer

        yield start
        for analyzer in started:
            await analyzer.stop()  # before its engine is closed


def _complaints(count: int) -> list[ConversationReceived]:
    return [
        a_conversation(f"conv-{number}", f"My parcel {number} is late again and nobody answers the phone")
        for number in range(count)
    ]


def _behave(provider: Running, *faults: Fault) -> None:
    provider.simulator.conduct = FAST.model_copy(update={"faults": faults})


async def _all_have_insights(world: World, conversations: list[ConversationReceived]) -> None:
    await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=120)
    assert all(isinstance(outcome, InsightProduced) for outcome in await world.outcomes())
    assert not await world.dead_letters()
    await eventually(world.is_all_acknowledged)


async def _breaker_is(analyzer: InProcess, state: str) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("breaker") == state, said
    return True


async def test_a_provider_that_hangs_opens_the_circuit_and_is_asked_again(
    world: World, provider: Running, start_llm: StartLlm
) -> None:
    _behave(provider, Fault(kind=FaultKind.HANG))
    conversations = _complaints(30)
    await world.post(conversations)
    analyzer = await start_llm(timeout_seconds=0.5, breaker_threshold=3, breaker_cooldown_seconds=1)
    await eventually(lambda: _breaker_is(analyzer, "open"))
    assert not await world.outcomes()
    _behave(provider)
    await _all_have_insights(world, conversations)
    await eventually(lambda: _breaker_is(analyzer, "closed"))


async def test_calls_of_which_three_in_ten_fail_cost_no_conversation_its_insight(
    world: World, provider: Running, start_llm: StartLlm
) -> None:
    _behave(provider, Fault(kind=FaultKind.SERVER_ERROR, probability=0.3))
    conversations = _complaints(100)
    await world.post(conversations)
    await start_llm(calls_per_second=100)
    await _all_have_insights(world, conversations)
    assert provider.simulator.statistics.outcomes[FaultKind.SERVER_ERROR] > 0


async def test_a_storm_of_limits_holds_again_and_again_and_then_all_is_answered(
    world: World, provider: Running, start_llm: StartLlm
) -> None:
    storm = Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=1, times=4)
    _behave(provider, storm)
    conversations = _complaints(40)
    await world.post(conversations)
    await start_llm()
    await _all_have_insights(world, conversations)
    assert provider.simulator.statistics.outcomes[FaultKind.RATE_LIMITED] == 4
    holds = [hold for hold in await _holds(world) if hold.hold_seconds]
    assert {hold.hold_seconds for hold in holds} == {1.0}


async def _holds(world: World) -> list[HoldDeclared]:
    events = [decode(record, CONTROL).event for record in await world.records(CONTROL)]
    return [event for event in events if isinstance(event, HoldDeclared)]


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_a_provider_that_asks_for_an_hour_gets_it_unless_a_person_ends_it(
    world: World, provider: Running, start_llm: StartLlm, *, as_date: bool
) -> None:
    _behave(provider, Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=3_600, as_date=as_date))
    conversations = _complaints(40)
    await world.post(conversations)
    analyzer = await start_llm(calls_per_second=5)
    await eventually(lambda: _is_held(analyzer))
    await eventually(lambda: _every_refusal_is_declared(world, provider))
    declared = [hold.hold_seconds for hold in await _holds(world)]
    assert all(3_500 < seconds <= 3_630 for seconds in declared), declared  # dates have whole seconds
    assert not await world.outcomes()
    _behave(provider)
    await world.hold(0)
    await _all_have_insights(world, conversations)


async def _every_refusal_is_declared(world: World, provider: Running) -> bool:
    assert len(await _holds(world)) == provider.simulator.statistics.calls
    return True


async def _is_held(analyzer: InProcess) -> bool:
    _, said = await analyzer.readiness()
    assert set(said.get("holds", {})) == {"live", "replay"}, said
    assert said["calls_in_flight"] == 0
    return True


async def test_what_is_counted_as_repeated_and_as_cost_is_what_the_provider_counts(
    world: World, provider: Running, start_llm: StartLlm
) -> None:
    before = {counter: _value(counter) for counter in (REPEATED, COST, COST_ESTIMATED)}
    provider.simulator.conduct = FAST.model_copy(update={"latency_seconds": 0.5})
    conversations = _complaints(600)
    await world.post(conversations)
    first = await start_llm(cache_size=0)
    await eventually(lambda: _has_answered(provider, 20))
    second = await start_llm(cache_size=0)
    await both_own_half(first, second, within_seconds=60)
    await _all_have_insights(world, conversations)
    statistics = provider.simulator.statistics

    async def is_counted() -> bool:  # what was asked twice may be under way when everything is found
        grown = {counter: _value(counter) - value for counter, value in before.items()}
        assert grown[REPEATED] == statistics.contents.total() - len(statistics.contents)
        assert grown[COST] == pytest.approx(statistics.cost_usd)
        assert statistics.cost_usd <= grown[COST_ESTIMATED] <= 4 * statistics.cost_usd
        return True

    await eventually(is_counted)


def _value(counter: Counter) -> float:
    return sum(
        sample.value for metric in counter.collect() for sample in metric.samples if sample.name.endswith("_total")
    )


async def _has_answered(provider: Running, count: int) -> bool:
    assert provider.simulator.statistics.contents.total() >= count
    return True


async def test_a_conversation_at_which_the_provider_fails_again_and_again_fails_alone(
    world: World, provider: Running, start_llm: StartLlm
) -> None:
    _behave(provider, Fault(kind=FaultKind.SERVER_ERROR, when="poison"))
    good = _complaints(20)
    poison = a_conversation("poison", "This is poison for the model, sorry.")
    await world.post([*good[:10], poison, *good[10:]])
    await start_llm(max_attempts=1, breaker_threshold=1_000)
    await eventually(lambda: world.has_outcomes_for([*good, poison]), within_seconds=120)
    found = dict(await world.outcomes_by_id())
    (failure,) = found.pop("poison")
    assert isinstance(failure, AnalysisFailed)
    assert failure.reason is FailureReason.LLM_ERROR
    assert failure.attempts >= OUTAGES_AN_ATTEMPT
    assert all(isinstance(outcome, InsightProduced) for outcomes in found.values() for outcome in outcomes)
    assert len(await eventually(world.dead_letters)) == 1
    await eventually(world.is_all_acknowledged)
