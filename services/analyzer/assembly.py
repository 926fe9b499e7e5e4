"""The parts of a pipeline that depend on the engine: its pace, its tokens, its look-ups, the room it needs."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, Protocol, runtime_checkable

from services.analyzer.control_log import outcome_ends
from services.analyzer.dispatch import Permits as DispatchPermits
from services.analyzer.engine import Engine, Task
from services.analyzer.in_flight import InFlightWindow, needed_count
from services.analyzer.ledger import Ledger
from services.analyzer.llm.headers import RateLimits
from services.analyzer.options import PipelineOptions
from services.analyzer.pacing import Clocks, Pacer
from services.analyzer.recall import Recall
from services.analyzer.resources import Resources
from services.analyzer.stated_limits import StatedLimits
from services.analyzer.task_set import TaskSet
from services.analyzer.unpaced import Unpaced
from services.runtime.logs import get_logger

_log = get_logger(__name__)

UNPAID_BATCHES_AT_ONCE: Final = 4
"""Of an engine that is not paced: while one batch computes, the outcomes of others travel to Kafka."""
DEFAULT_IN_FLIGHT_COUNT: Final = 8_000


@runtime_checkable
class EstimatesTokens(Protocol):
    """An engine that has a prompt."""

    def estimate_tokens(self, task: Task) -> int: ...


@runtime_checkable
class TellsRateLimits(Protocol):
    """An engine whose provider states its limits."""

    def tell_rate_limits(self, listener: Callable[[RateLimits], None]) -> None: ...


class Permits(DispatchPermits, Protocol):
    """`pacing.Pacer` or `unpaced.Unpaced`."""

    @property
    def share(self) -> float: ...
    def set_share(self, owned: Collection[int], partitions: int) -> None: ...
    def stop(self) -> None: ...
    def slow_down(self) -> None: ...
    def note_heartbeat(self, at: float) -> None: ...


def estimate_for(engine: Engine) -> Callable[[Task], int]:
    """How many tokens a conversation adds to a call: the engine knows its prompt, if it has one."""
    return engine.estimate_tokens if isinstance(engine, EstimatesTokens) else lambda _: 0


def permits_for(options: PipelineOptions, engine: Engine, clocks: Clocks) -> Permits:
    """The pace of an engine that costs, which keeps also to what its provider states; a bound for one that does not."""
    if not engine.is_paced:
        return Unpaced(UNPAID_BATCHES_AT_ONCE)
    limits = options.limits
    pacer = Pacer(
        calls_per_second=limits.calls_per_second,
        tokens_per_minute=limits.tokens_per_minute,
        pace=limits.pace,
        clocks=clocks,
    )
    if isinstance(engine, TellsRateLimits):
        engine.tell_rate_limits(_follow(pacer))
    return pacer


def _follow(pacer: Pacer) -> Callable[[RateLimits], None]:
    stated = StatedLimits()

    def follow(limits: RateLimits) -> None:
        before = pacer.calls_per_second, pacer.tokens_per_minute
        stated.note(limits)
        pacer.limit_stated(stated.calls_per_second, stated.tokens_per_minute)
        after = pacer.calls_per_second, pacer.tokens_per_minute
        if after != before:
            _log.info("limit_stated", calls_per_second=round(after[0], 3), tokens_per_minute=round(after[1]))

    return follow


def in_flight_window(options: PipelineOptions, engine: Engine) -> InFlightWindow:
    """A lane's window, with a warning when it is too small for the limits to be used."""
    needed = 0
    if engine.is_paced:
        largest = options.batching.max_batch
        needed = needed_count(options.limits.calls_per_second, options.call_timeout_seconds, largest)
    count = options.in_flight.max_count or max(DEFAULT_IN_FLIGHT_COUNT, needed)
    if count < needed:
        _log.warning("in_flight_window_small", records=count, needed=needed, setting="ANALYZER_IN_FLIGHT_COUNT")
    return InFlightWindow(max_bytes=options.in_flight.max_bytes, max_count=count)


def recall_for(options: PipelineOptions, resources: Resources, ledger: Ledger, tasks: TaskSet) -> Recall | None:
    """Asks the sink what is known; None where nothing is asked."""
    if resources.lookup is None:
        if resources.engine.is_paced:
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
