"""The parts of a pipeline that depend on its engines: their terms, their look-ups, the room that they need."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol, runtime_checkable

from services.analyzer.control_log import outcome_ends
from services.analyzer.engine import Engine, Task
from services.analyzer.in_flight import (
    InFlightWindow,
    default_for_paced,
    default_for_unpaced,
    needed_by_paced,
    needed_by_unpaced,
)
from services.analyzer.ledger import Ledger
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.llm.headers import RateLimits
from services.analyzer.options import PipelineOptions
from services.analyzer.pacing import Clocks, Pacer
from services.analyzer.recall import Recall
from services.analyzer.resources import Resources
from services.analyzer.stated_limits import StatedLimits
from services.analyzer.task_set import TaskSet
from services.analyzer.terms import Terms, TermsByVersion
from services.analyzer.unpaced import Unpaced
from services.runtime.logs import get_logger

_log = get_logger(__name__)

UNPAID_BATCHES_AT_ONCE: Final = 4
"""Of an engine that is not paced: while one batch computes, the outcomes of others travel to Kafka."""


@runtime_checkable
class EstimatesTokens(Protocol):
    """An engine that has a prompt."""

    def estimate_tokens(self, task: Task) -> int: ...


@runtime_checkable
class TellsRateLimits(Protocol):
    """An engine whose provider states its limits."""

    def tell_rate_limits(self, listener: Callable[[RateLimits], None]) -> None: ...


def terms_of(options: PipelineOptions, engines: Sequence[Engine], clocks: Clocks) -> TermsByVersion:
    """The terms of every engine. Those that cost share a pace, which keeps also to what their provider states."""
    limits = options.limits
    pacer = Pacer(
        calls_per_second=limits.calls_per_second,
        tokens_per_minute=limits.tokens_per_minute,
        pace=limits.pace,
        clocks=clocks,
    )
    unpaced = Unpaced(UNPAID_BATCHES_AT_ONCE)
    stated = [StatedLimits() for _ in engines]
    for engine, by_engine in zip(engines, stated, strict=True):
        if engine.is_paced and isinstance(engine, TellsRateLimits):
            engine.tell_rate_limits(_follow(pacer, by_engine, stated))
    return {
        engine.analysis_version: Terms(
            engine, pacer if engine.is_paced else unpaced, _breaker(options, clocks), _estimate_for(engine)
        )
        for engine in engines
    }


def _breaker(options: PipelineOptions, clocks: Clocks) -> CircuitBreaker:
    return CircuitBreaker(
        clock=clocks.monotonic,
        threshold=options.breaker_threshold,
        cooldown_seconds=options.breaker_cooldown_seconds,
    )


def _estimate_for(engine: Engine) -> Callable[[Task], int]:
    """How many tokens a conversation adds to a call: the engine knows its prompt, if it has one."""
    return engine.estimate_tokens if isinstance(engine, EstimatesTokens) else lambda _: 0


def _follow(pacer: Pacer, stated: StatedLimits, of_all: Sequence[StatedLimits]) -> Callable[[RateLimits], None]:
    """Limits are stated model by model; the one pace keeps to the lowest."""

    def follow(limits: RateLimits) -> None:
        before = pacer.calls_per_second, pacer.tokens_per_minute
        stated.note(limits)
        pacer.limit_stated(
            _lowest(one.calls_per_second for one in of_all), _lowest(one.tokens_per_minute for one in of_all)
        )
        after = pacer.calls_per_second, pacer.tokens_per_minute
        if after != before:
            _log.info("limit_stated", calls_per_second=round(after[0], 3), tokens_per_minute=round(after[1]))

    return follow


def _lowest(limits: Iterable[float | None]) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def in_flight_window(options: PipelineOptions, terms: TermsByVersion) -> InFlightWindow:
    """A lane's window, with a warning when it is too small for the limits to be used."""
    largest = options.batching.max_batch
    if _any_costs(terms):
        needed = needed_by_paced(options.limits.calls_per_second, options.call_timeout_seconds, largest)
        default = default_for_paced(needed)
    else:
        needed = needed_by_unpaced(UNPAID_BATCHES_AT_ONCE, largest)
        default = default_for_unpaced(needed)
    count = options.in_flight.max_count or default
    if count < needed:
        _log.warning("in_flight_window_small", records=count, needed=needed, setting="ANALYZER_IN_FLIGHT_COUNT")
    return InFlightWindow(max_bytes=options.in_flight.max_bytes, max_count=count)


def recall_for(
    options: PipelineOptions, resources: Resources, terms: TermsByVersion, ledger: Ledger, tasks: TaskSet
) -> Recall | None:
    """Asks the sink what is known; None where nothing is asked."""
    if resources.lookup is None:
        if _any_costs(terms):
            _log.warning("no_lookup", what_to_do="set ANALYZER_LOOKUP_URL: without it a restart may pay twice")
        return None
    return Recall(
        lookup=resources.lookup,
        ends=partial(outcome_ends, resources.connection),
        patience=options.patience,
        ledger=ledger,
        tasks=tasks,
        clock=resources.clocks.monotonic,
    )


def _any_costs(terms: TermsByVersion) -> bool:
    return any(one.costs for one in terms.values())
