"""What a pipeline makes of the engine that it is given."""

from collections.abc import Callable, Sequence

import pytest

from services.analyzer.assembly import estimate_for, in_flight_window, permits_for
from services.analyzer.engine import Answer, Task
from services.analyzer.llm.headers import RateLimits
from services.analyzer.pacing import Pacer
from services.analyzer.resources import pipeline_options
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.unpaced import Unpaced
from tests.builders import a_turn
from tests.unit.analyzer.fakes import FakeClock


class _Provider:
    """An engine whose provider states its limits."""

    name = "fake"
    analysis_version = "fake-1"

    def __init__(self, *, is_paced: bool = True) -> None:
        self.is_paced = is_paced
        self.listeners: list[Callable[[RateLimits], None]] = []

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        raise NotImplementedError

    def tell_rate_limits(self, listener: Callable[[RateLimits], None]) -> None:
        self.listeners.append(listener)


def _settings(**values: object) -> AnalyzerSettings:
    return AnalyzerSettings.model_validate(values)


def test_the_pace_follows_what_the_provider_states_and_passes_over_nonsense() -> None:
    engine = _Provider()
    options = pipeline_options(_settings(calls_per_second=10, tokens_per_minute=60_000))
    permits = permits_for(options, engine, FakeClock().clocks)
    assert isinstance(permits, Pacer)
    (tell,) = engine.listeners
    tell(RateLimits(requests=8, requests_reset_seconds=1, tokens=30_000, tokens_reset_seconds=60))
    assert (permits.calls_per_second, permits.tokens_per_minute) == (8, 30_000)
    tell(RateLimits(requests=0, requests_reset_seconds=86_400))
    assert permits.calls_per_second == 8
    tell(RateLimits(requests=500, requests_reset_seconds=1))
    assert permits.calls_per_second == 10


def test_an_engine_that_costs_nothing_is_not_paced_and_needs_no_room_for_calls() -> None:
    engine = _Provider(is_paced=False)
    options = pipeline_options(_settings(calls_per_second=1_000, max_batch=500))
    assert isinstance(permits_for(options, engine, FakeClock().clocks), Unpaced)
    assert in_flight_window(options, engine).max_count == 8_000
    assert estimate_for(engine)(Task("any", "content", (a_turn(),))) == 0


def test_full_use_of_the_limits_gets_its_room() -> None:
    options = pipeline_options(_settings(calls_per_second=10, llm_timeout_seconds=60, max_batch=50))
    assert in_flight_window(options, _Provider()).max_count == 10 * 60 * 50


@pytest.mark.parametrize(("drain", "seconds"), [(None, 65.0), (3, 3.0)])
def test_at_the_end_calls_are_waited_for_as_long_as_they_may_take(drain: float | None, seconds: float) -> None:
    assert pipeline_options(_settings(llm_timeout_seconds=60, drain_seconds=drain)).drain_seconds == seconds


@pytest.mark.parametrize(("budget", "usd"), [("unlimited", None), (0, 0.0), (7.5, 7.5)])
def test_a_budget_is_a_sum_or_none(budget: object, usd: float | None) -> None:
    assert pipeline_options(_settings(daily_budget_usd=budget)).daily_budget_usd == usd
