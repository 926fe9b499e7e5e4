"""What a pipeline makes of the engine that it is given."""

from collections.abc import Callable, Sequence

import pytest

from services.analyzer.assembly import UNPAID_BATCHES_AT_ONCE, in_flight_window, terms_of
from services.analyzer.engine import Answer, Task
from services.analyzer.llm.headers import RateLimits
from services.analyzer.pacing import Pacer
from services.analyzer.resources import pipeline_options
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.terms import EveryPermits
from services.analyzer.unpaced import Unpaced
from tests.builders import a_turn
from tests.unit.analyzer.fakes import FakeClock


class _Provider:
    """An engine whose provider states its limits."""

    name = "fake"

    def __init__(self, *, is_paced: bool = True, version: str = "fake-1") -> None:
        self.analysis_version = version
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
    permits = terms_of(options, [engine], FakeClock().clocks)["fake-1"].permits
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
    options = pipeline_options(_settings(calls_per_second=1_000, max_batch=50))
    terms = terms_of(options, [engine], FakeClock().clocks)
    assert isinstance(terms["fake-1"].permits, Unpaced)
    assert in_flight_window(options, terms).max_count == 1_000
    assert terms["fake-1"].estimate_tokens(Task("any", "content", (a_turn(),))) == 0


def test_large_batches_of_an_engine_that_costs_nothing_have_room() -> None:
    options = pipeline_options(_settings(max_batch=500))
    terms = terms_of(options, [_Provider(is_paced=False)], FakeClock().clocks)
    assert in_flight_window(options, terms).max_count == 2 * UNPAID_BATCHES_AT_ONCE * 500


def test_full_use_of_the_limits_gets_its_room() -> None:
    options = pipeline_options(_settings(calls_per_second=10, llm_timeout_seconds=60, max_batch=50))
    free, paid = _Provider(is_paced=False, version="free-1"), _Provider()
    assert in_flight_window(options, terms_of(options, [free, paid], FakeClock().clocks)).max_count == 10 * 60 * 50


def test_engines_that_cost_share_one_pace_and_each_engine_has_a_circuit_of_its_own() -> None:
    engines = [_Provider(is_paced=False, version="free-1"), _Provider(version="paid-1"), _Provider(version="paid-2")]
    options = pipeline_options(_settings(calls_per_second=10))
    terms = terms_of(options, engines, FakeClock().clocks)
    assert list(terms) == ["free-1", "paid-1", "paid-2"]
    assert terms["paid-1"].permits is terms["paid-2"].permits
    assert terms["free-1"].permits is not terms["paid-1"].permits
    assert len({id(one.breaker) for one in terms.values()}) == 3
    every = EveryPermits(terms.values())
    assert every.share == 0, "the share is that of the limits, whichever engine comes first"
    every.set_share({0, 1, 2}, 12)
    assert every.share == 0.25
    assert terms["free-1"].permits.delay() == 0
    every.stop()
    assert terms["free-1"].permits.delay() is None


def test_of_the_limits_that_are_stated_model_by_model_the_lowest_is_kept() -> None:
    engines = [_Provider(version="paid-1"), _Provider(version="paid-2")]
    permits = terms_of(pipeline_options(_settings(calls_per_second=10)), engines, FakeClock().clocks)["paid-1"].permits
    assert isinstance(permits, Pacer)
    for engine, granted in zip(engines, (4, 8), strict=True):
        engine.listeners[0](RateLimits(requests=granted, requests_reset_seconds=1))
    assert permits.calls_per_second == 4
    engines[0].listeners[0](RateLimits(requests=9, requests_reset_seconds=1))
    assert permits.calls_per_second == 8


@pytest.mark.parametrize(("drain", "seconds"), [(None, 65.0), (3, 3.0)])
def test_at_the_end_calls_are_waited_for_as_long_as_they_may_take(drain: float | None, seconds: float) -> None:
    assert pipeline_options(_settings(llm_timeout_seconds=60, drain_seconds=drain)).drain_seconds == seconds


@pytest.mark.parametrize(("budget", "usd"), [("unlimited", None), (0, 0.0), (7.5, 7.5)])
def test_a_budget_is_a_sum_or_none(budget: object, usd: float | None) -> None:
    assert pipeline_options(_settings(daily_budget_usd=budget)).daily_budget_usd == usd
