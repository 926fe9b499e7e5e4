"""The analyzer without its edge: intakes, window, dispatcher and calls, and what a rebalance does to them."""

import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, runtime_checkable

from schemas.analysis_control import HoldDeclared, SpendReserved, SpendSettled
from schemas.event import Event, Lane
from schemas.topics import CONTROL
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Asking
from services.analyzer.batching import LANES_IN_ORDER, BatchingWindow, BatchSize
from services.analyzer.cache import FindingCache
from services.analyzer.calls import CallPolicy, Calls
from services.analyzer.control_log import ControlLog, outcome_ends
from services.analyzer.dispatch import Dispatcher
from services.analyzer.dispatch import Permits as DispatchPermits
from services.analyzer.engine import Engine, Task
from services.analyzer.gaps import Gaps
from services.analyzer.holds import PROBE_ANSWERED, Holds
from services.analyzer.in_flight import InFlightWindow, needed_count
from services.analyzer.intake import Intake, Versions
from services.analyzer.ledger import Ledger
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.metrics import REBALANCES
from services.analyzer.outbox import Outbox
from services.analyzer.pacing import Clocks, Pacer, Unpaced
from services.analyzer.prefilter import Prefilter
from services.analyzer.recall import Patience, Recall
from services.analyzer.resources import Resources
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.spending import Spending
from services.analyzer.task_set import TaskSet
from services.runtime.logs import get_logger

_log = get_logger(__name__)

UNPAID_BATCHES_AT_ONCE = 4
"""Of an engine that is not paced: while one batch computes, the outcomes of others travel to Kafka."""
DEFAULT_IN_FLIGHT_COUNT = 8_000
_AFTER_THE_CALL_SECONDS = 5.0


ReadAgain = Callable[[Lane, int, int], Awaitable[None]]


@runtime_checkable
class EstimatesTokens(Protocol):
    """An engine that has a prompt."""

    def estimate_tokens(self, task: Task) -> int: ...


class Permits(DispatchPermits, Protocol):
    """`pacing.Pacer` or `pacing.Unpaced`."""

    @property
    def share(self) -> float: ...
    def set_share(self, owned: Collection[int], partitions: int) -> None: ...
    def stop(self) -> None: ...
    def slow_down(self) -> None: ...
    def note_heartbeat(self, at: float) -> None: ...


class Pipeline:
    """Everything between a record and its outcome. The edge feeds `intakes` and tells of rebalances."""

    def __init__(self, settings: AnalyzerSettings, resources: Resources) -> None:
        engine, clocks = resources.engine, resources.clocks
        self.engine = engine
        self.settings = settings
        self.tasks = TaskSet()
        self.is_rebalancing = True
        self.assigned: Mapping[Lane, frozenset[int]] = {lane: frozenset() for lane in LANES_IN_ORDER}
        self.heartbeat_at: float | None = None
        self.read_again: ReadAgain | None = None
        """Given by the edge: read a lane's partition again from an offset."""
        self._clocks = clocks
        self.gaps: Gaps[tuple[Lane, int]] = Gaps()
        self.holds = Holds(clocks, on_end=self._hold_ended)
        self.permits = _permits(settings, engine, clocks)
        self.ledger = Ledger({lane: _in_flight_window(settings, engine) for lane in LANES_IN_ORDER})
        self.window: BatchingWindow[Arrival] = BatchingWindow(
            window_seconds=settings.window_seconds,
            size=BatchSize(settings.min_batch, settings.start_batch, settings.max_batch),
            token_budget=settings.batch_tokens,
        )
        outbox = Outbox(resources.publisher, resources.dead_letters, self.ledger, _now)
        instance = settings.instance_id or socket.gethostname()
        self.spending = Spending(
            None if settings.daily_budget_usd == "unlimited" else settings.daily_budget_usd,
            engine=engine,
            clocks=clocks,
            declare=lambda event: outbox.declare(CONTROL, "spend", event),
            instance=instance,
            on_change=self._money_changed,
        )
        self.control_log = ControlLog(
            resources.connection,
            {
                HoldDeclared: self._hold_declared,
                SpendReserved: self.spending.reserved,
                SpendSettled: self.spending.settled,
            },
        )
        cache = FindingCache(settings.cache_size)
        self.breaker = CircuitBreaker(
            clock=clocks.monotonic,
            threshold=settings.breaker_threshold,
            cooldown_seconds=settings.breaker_cooldown_seconds,
        )
        asking = Asking(
            engines={engine.analysis_version: engine},
            window=self.window,
            ledger=self.ledger,
            outbox=outbox,
            cache=cache,
            now=_now,
        )
        calls = Calls(
            asking=asking,
            window=self.window,
            ledger=self.ledger,
            outbox=outbox,
            breaker=self.breaker,
            policy=CallPolicy(settings.max_attempts, settings.backoff_seconds),
            instance=instance,
        )
        self.dispatcher = Dispatcher(
            window=self.window,
            permits=self.permits,
            holds=self.holds,
            spending=self.spending,
            breaker=self.breaker,
            calls=calls,
            tasks=self.tasks,
            is_ready=lambda: self.control_log.is_caught_up and not self.is_rebalancing,
            is_prober=lambda: 0 in self.assigned[Lane.LIVE],
            on_probe_answered=lambda: self.tasks.spawn(outbox.declare(CONTROL, "hold", _probe_answered(instance))),
            clock=clocks.monotonic,
        )
        self.intakes = {
            lane: Intake(
                lane,
                ledger=self.ledger,
                gaps=self.gaps,
                read_again=self._read_again,
                window=self.window,
                outbox=outbox,
                cache=cache,
                prefilter=Prefilter(settings.min_characters) if settings.prefilter == "on" else None,
                versions=Versions(engine.analysis_version, frozenset({engine.analysis_version})),
                tasks=self.tasks,
                estimate_tokens=_estimate(engine),
                on_waiting=self.dispatcher.note_waiting,
                clock=clocks.monotonic,
                now=_now,
            )
            for lane in LANES_IN_ORDER
        }

        self.recall = _recall(settings, resources, self.ledger, self.tasks)
        if self.recall is not None:
            for intake in self.intakes.values():
                intake.recall = self.recall.ask

    def rebalance_started(self) -> None:
        """Nothing is ours: drop what is in no call (it comes again), acknowledge nothing of before any more."""
        self.is_rebalancing = True
        self.permits.stop()
        self.ledger.close()
        dropped = self.window.drop_waiting()
        self._forget_asked()
        self.dispatcher.drop_further()
        REBALANCES.inc()
        _log.info("rebalance_started", dropped=dropped, calls_in_flight=self.dispatcher.calls_in_flight)

    def partitions_assigned(self, assigned: Mapping[Lane, frozenset[int]], live_partitions: int) -> None:
        """These partitions are ours until the next rebalance; the share of the limits follows the live lane's."""
        self.assigned = assigned
        self.permits.note_heartbeat(self._clocks.monotonic())
        self.permits.set_share(assigned[Lane.LIVE], max(1, live_partitions))
        self.is_rebalancing = False
        if self.recall is not None:
            self.recall.assigned(frozenset[int]().union(*assigned.values()))
        self.ledger.open()
        self.dispatcher.wake()
        counts = {lane.value: len(partitions) for lane, partitions in assigned.items()}
        _log.info("partitions_assigned", **counts, share=round(self.permits.share, 3))

    def reading_starts(self, offsets: Mapping[tuple[Lane, int], int]) -> None:
        """Reading of our partitions starts, or starts again, at these offsets."""
        self.gaps.begin_generation(offsets)

    async def _read_again(self, lane: Lane, partition: int, offset: int) -> None:
        assert self.read_again is not None, "the edge reads"
        await self.read_again(lane, partition, offset)

    def heartbeat(self, at: float) -> None:
        """The group's coordinator confirmed our membership."""
        self.heartbeat_at = at
        self.permits.note_heartbeat(at)

    async def drain(self) -> bool:
        """Take no new work, drop what is in no call, wait for calls; True when all of them ended in time."""
        self.dispatcher.stop()
        self.ledger.take_no_more()
        dropped = self.window.drop_waiting()
        self._forget_asked()
        deadline = self.settings.drain_seconds or self.settings.llm_timeout_seconds + _AFTER_THE_CALL_SECONDS
        _log.info("draining", dropped=dropped, calls_in_flight=self.dispatcher.calls_in_flight)
        is_finished = await self.tasks.finish(deadline)
        await self.spending.close()
        return is_finished

    def _forget_asked(self) -> None:
        if self.recall is not None:
            self.recall.drop()

    def _money_changed(self) -> None:
        self.dispatcher.wake()

    def _hold_declared(self, event: Event, declared_at: float, _: int) -> None:
        assert isinstance(event, HoldDeclared)
        if event.reason == PROBE_ANSWERED:
            self.holds.apply(event, declared_at)
            self.dispatcher.wake()
            return
        lane = event.lane.value if event.lane is not None else "all"
        _log.warning("hold_declared", lane=lane, seconds=event.hold_seconds, reason=event.reason, by=event.declared_by)
        self.holds.apply(event, declared_at)
        if event.lane is None and self.holds.active():
            self.permits.slow_down()  # everybody reads the same log, so everybody paces alike
        self.dispatcher.wake()

    def _hold_ended(self, lane: Lane) -> None:
        """Somebody ended a lane's hold: look at the records that hold it, too."""
        self.intakes[lane].undecodable.forget()
        self.ledger.unblock(lane)


def _now() -> datetime:
    return datetime.now(UTC)


def _probe_answered(instance: str) -> HoldDeclared:
    return HoldDeclared(hold_seconds=0, reason=PROBE_ANSWERED, declared_by=instance)


def _estimate(engine: Engine) -> Callable[[Task], int]:
    """How many tokens a conversation adds to a call: the engine knows its prompt, if it has one."""
    return engine.estimate_tokens if isinstance(engine, EstimatesTokens) else lambda _: 0


def _recall(settings: AnalyzerSettings, resources: Resources, ledger: Ledger, tasks: TaskSet) -> Recall | None:
    if resources.lookup is None:
        if resources.engine.is_paced:
            _log.warning("no_lookup", what_to_do="set ANALYZER_LOOKUP_URL: without it a restart may pay twice")
        return None
    return Recall(
        lookup=resources.lookup,
        ends=partial(outcome_ends, resources.connection),
        patience=Patience(settings.lookup_wait_seconds, settings.lookup_required),
        ledger=ledger,
        tasks=tasks,
        clock=resources.clocks.monotonic,
    )


def _permits(settings: AnalyzerSettings, engine: Engine, clocks: Clocks) -> Permits:
    if not engine.is_paced:
        return Unpaced(UNPAID_BATCHES_AT_ONCE)
    return Pacer(
        calls_per_second=settings.calls_per_second,
        tokens_per_minute=settings.tokens_per_minute,
        pace=settings.pace,
        clocks=clocks,
    )


def _in_flight_window(settings: AnalyzerSettings, engine: Engine) -> InFlightWindow:
    needed = 0
    if engine.is_paced:
        needed = needed_count(settings.calls_per_second, settings.llm_timeout_seconds, settings.max_batch)
    count = settings.in_flight_count or max(DEFAULT_IN_FLIGHT_COUNT, needed)
    if count < needed:
        _log.warning("in_flight_window_small", records=count, needed=needed, setting="ANALYZER_IN_FLIGHT_COUNT")
    return InFlightWindow(max_bytes=settings.in_flight_bytes, max_count=count)
