"""The analyzer without its edge: intakes, window, dispatcher and calls, and what a rebalance does to them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from schemas.analysis_control import ActiveVersionChanged, HoldDeclared, SpendReserved, SpendSettled
from schemas.event import Event, Lane
from schemas.topics import CONTROL
from services.analyzer.accepting import Accepting
from services.analyzer.agreements import Agreements
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Asking
from services.analyzer.assembly import in_flight_window, recall_for, terms_of
from services.analyzer.batch_size import BatchSize, BatchSizes
from services.analyzer.batching import LANES_IN_ORDER, BatchingWindow
from services.analyzer.cache import FindingCache
from services.analyzer.calls import Calls
from services.analyzer.control_log import Apply, ControlLog
from services.analyzer.dispatch import Dispatcher
from services.analyzer.gaps import Gaps
from services.analyzer.giving_up import GivingUp
from services.analyzer.holds import PROBE_ANSWERED, Holds
from services.analyzer.intake import Intake
from services.analyzer.ledger import Ledger
from services.analyzer.live_versions import LiveVersions
from services.analyzer.metrics import REBALANCES, REPEATED
from services.analyzer.offering import Offering
from services.analyzer.options import Batching, PipelineOptions
from services.analyzer.outbox import Outbox
from services.analyzer.prefilter import Prefilter
from services.analyzer.probing import Probing
from services.analyzer.repeating import Repeating
from services.analyzer.resources import Resources
from services.analyzer.spending import Spending
from services.analyzer.task_set import TaskSet
from services.analyzer.terms import EveryPermits
from services.runtime.logs import get_logger

_log = get_logger(__name__)

ReadAgain = Callable[[Lane, int, int], Awaitable[None]]


class Pipeline:
    """Everything between a record and its outcome. The edge feeds `intakes` and tells of rebalances."""

    def __init__(self, options: PipelineOptions, resources: Resources) -> None:
        engines, clocks = resources.engines, resources.clocks
        self._options = options
        self._clocks = clocks
        self.tasks = TaskSet()
        self.is_rebalancing = True
        self.assigned: Mapping[Lane, frozenset[int]] = {lane: frozenset() for lane in LANES_IN_ORDER}
        self.heartbeat_at: float | None = None
        self.read_again: ReadAgain | None = None
        """Given by the edge: read a lane's partition again from an offset."""
        self.gaps: Gaps[tuple[Lane, int]] = Gaps()
        self.holds = Holds(clocks, on_end=self._hold_ended)
        self.terms = terms_of(options, engines, clocks)
        self.versions = LiveVersions(engines[0].analysis_version, self.terms, clocks)
        self.permits = EveryPermits(self.terms.values())
        self.ledger = Ledger({lane: in_flight_window(options, self.terms) for lane in LANES_IN_ORDER})
        self.window = _window(options.batching)
        self._outbox = Outbox(resources.publisher, resources.dead_letters, self.ledger, _now)
        self.spending = self._spending()
        self.control_log = ControlLog(resources.connection, self._handlers(), self._log_read)
        self._cache = FindingCache(options.cache_size)
        self.dispatcher = self._dispatcher()
        self.recall = recall_for(options, resources, self.terms, self.ledger, self.tasks)
        accepting = self._accepting()
        self.intakes = {lane: self._intake(lane, accepting) for lane in LANES_IN_ORDER}
        self.giving_up = GivingUp(self.versions, self.window, self.ledger, self.dispatcher.is_stuck)
        self.repeating = Repeating(
            self.versions,
            is_ours=lambda: self._is_first() and self.control_log.is_caught_up,
            declare=lambda event: self._outbox.declare(CONTROL, "active-version", event),
        )
        self.offering = Offering(
            tuple(self.terms),
            instance=options.instance,
            declare=lambda event: self._outbox.declare(CONTROL, "engines", event),
        )

    def _spending(self) -> Spending:
        return Spending(
            self._options.daily_budget_usd,
            engines={version: terms.engine for version, terms in self.terms.items()},
            clocks=self._clocks,
            declare=lambda event: self._outbox.declare(CONTROL, "spend", event),
            instance=self._options.instance,
            on_change=self._look_again,
        )

    def _handlers(self) -> Mapping[type[Event], Apply]:
        agreements = Agreements(
            self.holds,
            self.versions,
            slow_down=self.permits.slow_down,
            on_hold=self._look_again,
            on_versions=self._look_again_at_versions,
        )
        return {
            HoldDeclared: agreements.hold_declared,
            SpendReserved: self.spending.reserved,
            SpendSettled: self.spending.settled,
            ActiveVersionChanged: agreements.version_changed,
        }

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(
            terms=self.terms,
            window=self.window,
            holds=self.holds,
            spending=self.spending,
            probing=Probing(self.holds, self._is_first, self._declare_probe_answered),
            calls=self._calls(),
            tasks=self.tasks,
            is_ready=lambda: self.control_log.is_caught_up and not self.is_rebalancing,
            clock=self._clocks.monotonic,
        )

    def _calls(self) -> Calls:
        asking = Asking(
            engines={version: terms.engine for version, terms in self.terms.items()},
            window=self.window,
            ledger=self.ledger,
            outbox=self._outbox,
            cache=self._cache,
            now=_now,
        )
        return Calls(
            asking=asking,
            window=self.window,
            ledger=self.ledger,
            outbox=self._outbox,
            policy=self._options.policy,
            instance=self._options.instance,
        )

    def _accepting(self) -> Accepting:
        min_characters = self._options.prefilter_min_characters
        return Accepting(
            terms=self.terms,
            window=self.window,
            outbox=self._outbox,
            cache=self._cache,
            prefilter=None if min_characters is None else Prefilter(min_characters),
            recall=None if self.recall is None else self.recall.ask,
            tasks=self.tasks,
            on_waiting=self.dispatcher.note_waiting,
            clock=self._clocks.monotonic,
            now=_now,
        )

    def _intake(self, lane: Lane, accepting: Accepting) -> Intake:
        return Intake(
            lane,
            ledger=self.ledger,
            gaps=self.gaps,
            read_again=self._read_again,
            accepting=accepting,
            outbox=self._outbox,
            versions=self.versions,
            is_log_read=lambda: self.control_log.is_caught_up,
            tasks=self.tasks,
        )

    def _is_first(self) -> bool:
        """Whether this instance does what one of the fleet has to do."""
        return not self.is_rebalancing and 0 in self.assigned[Lane.LIVE]

    def rebalance_started(self) -> None:
        """Nothing is ours: drop what is in no call (it comes again), acknowledge nothing of before any more."""
        self.is_rebalancing = True
        self.permits.stop()
        REPEATED.inc(self.ledger.close())
        dropped = self.window.drop_waiting()
        self._forget_asked()
        self.dispatcher.drop_further()
        REBALANCES.inc()
        _log.info("rebalance_started", dropped=dropped, calls_in_flight=self.dispatcher.calls_in_flight)

    def partitions_assigned(self, assigned: Mapping[Lane, frozenset[int]], live_partitions: int) -> None:
        """These partitions are ours until the next rebalance; the share of the limits follows the live lane's."""
        self.assigned = assigned
        self.heartbeat(self._clocks.monotonic())  # who is dealt partitions is a member
        self.permits.set_share(assigned[Lane.LIVE], max(1, live_partitions))
        self.is_rebalancing = False
        if self.recall is not None:
            self.recall.assigned(frozenset[int]().union(*assigned.values()))
        self.ledger.open()
        self.dispatcher.wake()
        self.repeating.look()
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
        self.tasks.spawn(self.offering.withdraw())
        dropped = self.window.drop_waiting()
        self._forget_asked()
        _log.info("draining", dropped=dropped, calls_in_flight=self.dispatcher.calls_in_flight)
        is_finished = await self.tasks.finish(self._options.drain_seconds)
        await self.spending.close()
        return is_finished

    def _forget_asked(self) -> None:
        if self.recall is not None:
            self.recall.drop()

    def _look_again(self) -> None:
        self.dispatcher.wake()

    def _hold_ended(self, lane: Lane) -> None:
        """Somebody ended a lane's hold: look at the records that hold it, too."""
        self.intakes[lane].undecodable.forget()
        self.ledger.unblock(lane)

    def _log_read(self) -> None:
        self._look_again_at_versions()
        self.dispatcher.wake()
        self.repeating.look()
        self.offering.begin()

    def _look_again_at_versions(self) -> None:
        self.giving_up.look()
        for lane in self.intakes:
            self.ledger.unblock(lane)

    def _declare_probe_answered(self) -> None:
        event = HoldDeclared(hold_seconds=0, reason=PROBE_ANSWERED, declared_by=self._options.instance)
        self.tasks.spawn(self._outbox.declare(CONTROL, "hold", event))


def _now() -> datetime:
    return datetime.now(UTC)


def _window(batching: Batching) -> BatchingWindow[Arrival]:
    return BatchingWindow(
        window_seconds=batching.window_seconds,
        sizes=BatchSizes(lambda: BatchSize(batching.min_batch, batching.start_batch, batching.max_batch)),
        token_budget=batching.token_budget,
    )
