"""One call of the engine for one batch: ask, publish what was found, and decide what happens to the rest."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.analysis_control import HoldDeclared
from schemas.analysis_failed import FailureReason
from schemas.analysis_started import AnalysisStarted, StartedConversation
from schemas.outcome import Outcome
from schemas.topics import CONTROL, STARTED
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import Batch, BatchingWindow, Work
from services.analyzer.breaker import Breaker, BreakerState
from services.analyzer.cache import FindingCache
from services.analyzer.engine import (
    Answer,
    AnswerTruncated,
    AnswerUnusable,
    Engine,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Finding,
    Refusal,
    Usage,
)
from services.analyzer.ledger import Ledger
from services.analyzer.metrics import BATCH_SIZE, CACHE_HITS, CALL_SECONDS, CALLS, COST, REPEATED, TOKENS
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import insight_of
from services.runtime.logs import get_logger

_log = get_logger(__name__)

LONGEST_BACKOFF_SECONDS: Final = 30.0
RESULTS_REFUSED_TWICE: Final = 2
_OUTCOMES: Final[dict[type[EngineError], str]] = {
    EngineUnavailable: "unavailable",
    EngineLimited: "limited",
    EngineMisconfigured: "misconfigured",
    AnswerTruncated: "truncated",
    AnswerUnusable: "unusable",
}


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How often, and how long to wait between."""

    max_attempts: int
    backoff_seconds: float


class Calls:
    """Runs batches; one task a batch. What it raises is unexpected and ends the process."""

    def __init__(
        self,
        *,
        engines: dict[str, Engine],
        window: BatchingWindow[Arrival],
        ledger: Ledger,
        outbox: Outbox,
        cache: FindingCache,
        breaker: Breaker,
        policy: CallPolicy,
        instance: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engines = engines
        self._window = window
        self._ledger = ledger
        self._outbox = outbox
        self._cache = cache
        self._breaker = breaker
        self._policy = policy
        self._instance = instance
        self._now = now
        self._sleep = sleep
        self.misconfigured: str | None = None
        """Why no call makes sense until a person acts."""

    async def run(self, batch: Batch[Arrival]) -> Usage:
        """Analyse a batch and return what the call cost. Its works are finished, or wait again."""
        engine = self._engines[batch.analysis_version]
        batch_id = uuid.uuid4()
        started_at = self._now()
        began = time.perf_counter()
        # The permit is for now: nothing may come between it and the call.
        asking = asyncio.ensure_future(engine.analyze([work.task for work in batch.works]))
        try:
            await self._announce(batch, batch_id, started_at)
            answer = await asking
        except EngineError as error:
            self._count_call(engine, _OUTCOMES.get(type(error), "failed"), began, error.usage, batch)
            await self._call_failed(batch, error)
            return error.usage
        except BaseException:
            asking.cancel()
            raise
        self._count_call(engine, "answered", began, answer.usage, batch)
        self._breaker.succeeded()
        await self._call_answered(batch, answer, batch_id, started_at)
        return answer.usage

    async def _announce(self, batch: Batch[Arrival], batch_id: UUID, started_at: datetime) -> None:
        # Both members were validated on arrival: checking them again is a tenth of what a conversation costs.
        conversations = tuple(
            StartedConversation.model_construct(conversation_id=waiter.conversation_id, revision=waiter.revision)
            for work in batch.works
            for waiter in work.waiters
        )
        event = AnalysisStarted(
            batch_id=batch_id,
            analysis_version=batch.analysis_version,
            lane=batch.lane,
            started_at=started_at,
            conversations=conversations,
        )
        await self._outbox.announce(STARTED, str(batch_id), event)

    @staticmethod
    def _count_call(engine: Engine, outcome: str, began: float, usage: Usage, batch: Batch[Arrival]) -> None:
        CALLS.labels(engine.name, outcome).inc()
        CALL_SECONDS.labels(engine.name).observe(time.perf_counter() - began)
        BATCH_SIZE.labels(batch.lane.value).observe(len(batch.works))
        TOKENS.labels("input").inc(usage.input_tokens)
        TOKENS.labels("output").inc(usage.output_tokens)
        COST.inc(usage.cost_usd)

    async def _call_answered(self, batch: Batch[Arrival], answer: Answer, batch_id: UUID, started_at: datetime) -> None:
        if len(answer.results) != len(batch.works):
            raise RuntimeError("the engine broke its protocol: one result a task, by position")
        refused = [
            (work, result)
            for work, result in zip(batch.works, answer.results, strict=True)
            if isinstance(result, Refusal)
        ]
        self._resize(batch, is_clean=not refused, is_truncated=any(r.reason == "truncated" for _, r in refused))
        outcomes: list[tuple[Arrival, Outcome]] = []
        for work, result in zip(batch.works, answer.results, strict=True):
            if isinstance(result, Finding):
                self._cache.put(work.key, result)
                self._window.finish(work)
                outcomes += self._insights(work, result, batch_id, started_at)
        await self._outbox.deliver_all(outcomes)
        for work, refusal in refused:
            await self._result_refused(work, refusal)

    def _resize(self, batch: Batch[Arrival], *, is_clean: bool, is_truncated: bool) -> None:
        if is_truncated:
            self._window.size.shrink()
        elif is_clean and batch.is_full:
            self._window.size.grow()

    def _insights(
        self, work: Work[Arrival], finding: Finding, batch_id: UUID, started_at: datetime
    ) -> list[tuple[Arrival, Outcome]]:
        now = self._now()
        current = {waiter.conversation_id for waiter in work.waiters if self._ledger.is_current(waiter.place)}
        REPEATED.inc(sum(waiter.conversation_id not in current for waiter in work.waiters))
        CACHE_HITS.labels("joined").inc(len(work.waiters) - 1)
        return [
            (
                waiter,
                insight_of(waiter, finding, batch_id=batch_id, started_at=started_at, now=now, is_repeated=place > 0),
            )
            for place, waiter in enumerate(work.waiters)
        ]

    async def _result_refused(self, work: Work[Arrival], refusal: Refusal) -> None:
        work.refusals += 1
        if refusal.is_final:
            await self._fail(work, FailureReason.CONTENT_REFUSED, refusal.detail)
        elif work.refusals >= RESULTS_REFUSED_TWICE and refusal.reason != "truncated":
            await self._fail(work, FailureReason.INVALID_RESULT, f"{refusal.reason}: {refusal.detail}")
        else:
            self._again(work)

    async def _call_failed(self, batch: Batch[Arrival], error: EngineError) -> None:
        _log.warning("call_failed", reason=error.reason, kind=type(error).__name__, conversations=len(batch.works))
        if isinstance(error, EngineLimited):
            await self._limited(batch, error)
        elif isinstance(error, EngineMisconfigured):
            self._breaker.abandoned()
            self.misconfigured = error.reason
            self._all_again(batch)
        elif isinstance(error, EngineUnavailable):
            await self._unavailable(batch, error)
        else:
            self._breaker.succeeded()
            await self._unusable(batch, error)

    async def _limited(self, batch: Batch[Arrival], error: EngineLimited) -> None:
        """Nobody's failure: the fleet holds, and the works wait again."""
        self._breaker.abandoned()
        hold = HoldDeclared(
            hold_seconds=min(error.hold_seconds, 7 * 86_400), reason=error.reason[:300], declared_by=self._instance
        )
        await self._outbox.declare(CONTROL, "hold", hold)
        self._all_again(batch)

    async def _unavailable(self, batch: Batch[Arrival], error: EngineUnavailable) -> None:
        """An outage fails nobody: an attempt counts only while the circuit is closed and the work was alone."""
        counts = self._breaker.state is BreakerState.CLOSED
        self._breaker.failed()
        self._window.size.shrink()
        if counts and await self._attempt_failed(batch, error):
            return
        for work in batch.works:
            work.outages += 1
        ceiling = self._policy.backoff_seconds * 2 ** min(max(w.outages for w in batch.works) - 1, 10)
        await self._sleep(random.uniform(0, min(ceiling, LONGEST_BACKOFF_SECONDS)))  # noqa: S311 - jitter, no secret
        self._all_again(batch)

    async def _unusable(self, batch: Batch[Arrival], error: EngineError) -> None:
        """Nothing could be read out of the answer: smaller batches, down to one, show who is to blame."""
        self._window.size.shrink()
        if await self._attempt_failed(batch, error):
            return
        self._all_again(batch)

    async def _attempt_failed(self, batch: Batch[Arrival], error: EngineError) -> bool:
        """Count an attempt against a work that was alone; True when it was its last."""
        if len(batch.works) > 1:
            return False
        work = batch.works[0]
        work.attempts += 1
        if work.attempts < self._policy.max_attempts:
            return False
        await self._fail(work, FailureReason.LLM_ERROR, error.reason)
        return True

    async def _fail(self, work: Work[Arrival], reason: FailureReason, detail: str) -> None:
        self._window.finish(work)
        for waiter in work.waiters:
            await self._outbox.fail(waiter, reason, detail, attempts=max(work.attempts, work.refusals))

    def _all_again(self, batch: Batch[Arrival]) -> None:
        for work in batch.works:
            self._again(work)

    def _again(self, work: Work[Arrival]) -> None:
        """Let it wait again for those who still do: the records of others come again, here or elsewhere."""
        work.waiters = [waiter for waiter in work.waiters if self._ledger.is_current(waiter.place)]
        if work.waiters:
            self._window.send_again(work)
        else:
            self._window.finish(work)
