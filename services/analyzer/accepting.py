"""From a decoded record to the window: under each of its versions, see whether it needs the engine, and let it wait."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from schemas.conversation_skipped import SkipReason
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import BatchingWindow, Queue
from services.analyzer.cache import FindingCache
from services.analyzer.engine import Finding, Task
from services.analyzer.metrics import CACHE_HITS, TOKENS_SAVED
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import insight_of, skipped
from services.analyzer.prefilter import Prefilter
from services.analyzer.task_set import Tasks
from services.analyzer.terms import TermsByVersion

SUPERSEDED_RULE = 1
CACHED_BATCH = UUID(int=0)
"""The batch of an insight that no batch gave."""

Ask = Callable[[Arrival, Task, Callable[[Finding | None], None]], None]


class Accepting:
    """Accepts what both lanes took in."""

    def __init__(
        self,
        *,
        terms: TermsByVersion,
        window: BatchingWindow[Arrival],
        outbox: Outbox,
        cache: FindingCache,
        prefilter: Prefilter | None,
        recall: Ask | None,
        tasks: Tasks,
        on_waiting: Callable[[Queue], None],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._terms = terms
        self._window = window
        self._outbox = outbox
        self._cache = cache
        self._prefilter = prefilter
        self._recall = recall
        """Asks whether a content is known elsewhere; None where nobody is asked."""
        self._tasks = tasks
        self._on_waiting = on_waiting
        self._clock = clock
        self._now = now

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Accept one record: an arrival for each version that it is to have an outcome under."""
        conversation = arrivals[0].conversation
        skip = self._prefilter.decide(conversation.turns) if self._prefilter is not None else None
        task = arrivals[0].task()
        for arrival in arrivals:
            terms = self._terms[arrival.analysis_version]
            tokens = terms.estimate_tokens(task)
            if skip is not None:
                TOKENS_SAVED.labels("prefilter").inc(tokens)
                self._skip(arrival, skip.reason, skip.rule_version)
                continue
            finding = self._cache.get((conversation.content_hash, arrival.analysis_version))
            if finding is not None:
                self._known(arrival, finding, tokens, source="memory")
            elif self._recall is None or not terms.costs:  # an analysis that costs nothing is cheaper than asking
                self._wait(arrival, task, tokens)
            else:
                self._recall(arrival, task, self._recalled(arrival, task, tokens))

    def _recalled(self, arrival: Arrival, task: Task, tokens: int) -> Callable[[Finding | None], None]:
        key = (arrival.conversation.content_hash, arrival.analysis_version)

        def recalled(known: Finding | None) -> None:
            """The sink was asked. A call for the same content may have ended meanwhile."""
            finding = self._cache.get(key)
            if finding is not None:
                self._known(arrival, finding, tokens, source="memory")
            elif known is not None:
                self._cache.put(key, known)
                self._known(arrival, known, tokens, source="sink")
            else:
                self._wait(arrival, task, tokens)

        return recalled

    def _known(self, arrival: Arrival, finding: Finding, tokens: int, *, source: str) -> None:
        CACHE_HITS.labels(source).inc()
        TOKENS_SAVED.labels("cache").inc(tokens)
        now = self._now()
        insight = insight_of(arrival, finding, batch_id=CACHED_BATCH, started_at=now, now=now, is_repeated=True)
        self._tasks.spawn(self._outbox.deliver(arrival, insight))

    def _wait(self, arrival: Arrival, task: Task, tokens: int) -> None:
        version = arrival.analysis_version
        superseded = self._window.add(arrival, task, version, tokens=tokens, now=self._clock())
        for older in superseded:
            self._skip(older, SkipReason.SUPERSEDED, SUPERSEDED_RULE)
        self._on_waiting((arrival.lane, version))

    def _skip(self, arrival: Arrival, reason: SkipReason, rule_version: int) -> None:
        self._tasks.spawn(self._outbox.deliver(arrival, skipped(arrival, reason, rule_version, self._now())))
