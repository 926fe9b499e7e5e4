"""One call of the engine: announce it, ask, publish what was found, count what it cost."""

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.analysis_failed import FailureReason
from schemas.analysis_started import AnalysisStarted, StartedConversation
from schemas.outcome import Outcome
from schemas.topics import STARTED
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import Batch, BatchingWindow, Work
from services.analyzer.cache import FindingCache
from services.analyzer.engine import (
    NOTHING,
    Answer,
    AnswerTruncated,
    AnswerUnusable,
    CallEnd,
    Engine,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Finding,
    Refusal,
    Usage,
    prepared,
)
from services.analyzer.ledger import Ledger
from services.analyzer.metrics import (
    BATCH_SIZE,
    CACHE_HITS,
    CALL_SECONDS,
    CALLS,
    COST,
    COST_ESTIMATED,
    REPEATED,
    TOKENS,
)
from services.analyzer.outbox import Outbox
from services.analyzer.outcomes import insight_of
from services.analyzer.permissions import Permission
from services.analyzer.shares import added, left_of, share_out

_OUTCOMES: Final[tuple[tuple[type[EngineError], str], ...]] = (
    (EngineUnavailable, "unavailable"),
    (EngineLimited, "limited"),
    (EngineMisconfigured, "misconfigured"),
    (AnswerTruncated, "truncated"),
    (AnswerUnusable, "unusable"),
)


class NotSentError(Exception):
    """A rebalance, a hold or the end came between the permit and the call: nothing was sent, nothing was paid."""


class Asking:
    """Makes calls. Raises the engine's errors as they are."""

    def __init__(
        self,
        *,
        engines: Mapping[str, Engine],
        window: BatchingWindow[Arrival],
        ledger: Ledger,
        outbox: Outbox,
        cache: FindingCache,
        now: Callable[[], datetime],
    ) -> None:
        self._engines = engines
        self._window = window
        self._ledger = ledger
        self._outbox = outbox
        self._cache = cache
        self._now = now

    async def ask(self, batch: Batch[Arrival], works: Sequence[Work[Arrival]], permission: Permission) -> Answer:
        """Call the engine for these works and return its answer once every finding is published and done.

        Raises `NotSentError` when the call was not made after all, and what the engine raises.
        """
        batch_id, started_at = uuid.uuid4(), self._now()
        answer = await self._call(batch, works, permission, batch_id, started_at)
        if len(answer.results) != len(works):
            raise RuntimeError("the engine broke its protocol: one result a task, by position")
        _carry(works, answer)
        outcomes: list[tuple[Arrival, Outcome]] = []
        for work, result in zip(works, answer.results, strict=True):
            if isinstance(result, Finding):
                self._cache.put(work.key, result)
                self._window.finish(work)
                outcomes += self._insights(work, result, batch_id, started_at)
            else:
                work.last_failure = FailureReason.CONTENT_REFUSED if result.is_final else FailureReason.INVALID_RESULT
        await self._outbox.deliver_all(outcomes)
        return answer

    @staticmethod
    def failure_of(work: Work[Arrival]) -> FailureReason:
        """Why a work that has no finding failed, by the last that was said of it."""
        return work.last_failure or FailureReason.LLM_ERROR

    async def _call(
        self,
        batch: Batch[Arrival],
        works: Sequence[Work[Arrival]],
        permission: Permission,
        batch_id: UUID,
        started_at: datetime,
    ) -> Answer:
        engine = self._engines[batch.analysis_version]
        call = prepared(engine, [work.task for work in works])
        await self._wait_for_start(permission)
        began = time.perf_counter()
        outcome, end = "abandoned", CallEnd(None)
        announcing = asyncio.ensure_future(self._announce(batch, works, batch_id, started_at))
        try:
            # Awaited here and not in a task of its own: the call runs at once up to its first wait, in time.
            answer = await call(permission.sent)
            outcome, end = "answered", CallEnd(answer.usage, is_answered=True)
            await announcing
            return answer
        except EngineError as error:
            outcome = next((word for kind, word in _OUTCOMES if isinstance(error, kind)), "failed")
            is_answered = isinstance(error, AnswerTruncated | AnswerUnusable)
            end = CallEnd(error.usage, is_answered=is_answered, is_cost_known=error.is_cost_known)
            for work in works:
                work.last_failure = FailureReason.LLM_ERROR
            _share_among(works, error.usage)
            await announcing
            raise
        finally:
            announcing.cancel()
            permission.ended(end)
            COST_ESTIMATED.inc(permission.estimated_usd)
            _count(engine, outcome, time.perf_counter() - began, end.usage or Usage())
            BATCH_SIZE.labels(batch.lane.value).observe(len(works))
            for work in works:
                work.calls += 1

    @staticmethod
    async def _wait_for_start(permission: Permission) -> None:
        """Return with the call to be made now: whatever takes time has to be done before."""
        try:
            while wait := permission.start():  # noqa: ASYNC110 - time decides, nobody could set an event
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            permission.ended(CallEnd(Usage(), is_sent=False))
            raise
        if wait is None:
            permission.ended(CallEnd(Usage(), is_sent=False))
            raise NotSentError

    async def _announce(
        self, batch: Batch[Arrival], works: Sequence[Work[Arrival]], batch_id: UUID, started_at: datetime
    ) -> None:
        # Both members were validated on arrival: checking them again is a tenth of what a conversation costs.
        conversations = tuple(
            StartedConversation.model_construct(conversation_id=waiter.conversation_id, revision=waiter.revision)
            for work in works
            for waiter in work.waiters
        )
        if not conversations:  # all were superseded or dropped between two calls of a search
            return
        event = AnalysisStarted(
            batch_id=batch_id,
            analysis_version=batch.analysis_version,
            lane=batch.lane,
            started_at=started_at,
            conversations=conversations,
        )
        await self._outbox.announce(STARTED, str(batch_id), event)

    def _note_paid(self, waiters: Collection[Arrival]) -> None:
        """Their answer was paid for: whoever comes again nevertheless is counted, now or at the next rebalance."""
        current = {waiter.conversation_id for waiter in waiters if self._ledger.is_current(waiter.place)}
        REPEATED.inc(sum(waiter.conversation_id not in current for waiter in waiters))
        for waiter in waiters:
            waiter.place.receipt.paid_answers += 1

    def _insights(
        self, work: Work[Arrival], finding: Finding, batch_id: UUID, started_at: datetime
    ) -> list[tuple[Arrival, Outcome]]:
        """One insight for everybody who waits; the first has it from the call, the others from the first."""
        now = self._now()
        if self._engines[work.analysis_version].is_paced:
            self._note_paid(work.waiters)
        CACHE_HITS.labels("joined").inc(len(work.waiters) - 1)
        return [
            (
                waiter,
                insight_of(
                    waiter,
                    finding,
                    batch_id=batch_id,
                    started_at=started_at,
                    now=now,
                    spent=work.spent,
                    is_repeated=place > 0,
                ),
            )
            for place, waiter in enumerate(work.waiters)
        ]


def _carry(works: Sequence[Work[Arrival]], answer: Answer) -> None:
    """What no finding carries, or one that nobody waits for any more, is carried by the others of the call."""
    if answer.usage == NOTHING:
        return
    found, refused, carried = [], [], []
    for work, result in zip(works, answer.results, strict=True):
        if isinstance(result, Refusal):
            refused.append(work)
        elif work.waiters:
            found.append(work)
            carried.append(result.usage)
    _share_among(found or refused, left_of(answer.usage, carried))


def _share_among(works: Sequence[Work[Arrival]], usage: Usage) -> None:
    works = [work for work in works if work.waiters]
    if usage == NOTHING:
        return
    shares = share_out(usage, [work.tokens for work in works], [1] * len(works))
    for work, share in zip(works, shares, strict=True):
        work.spent = added(work.spent, share)


def _count(engine: Engine, outcome: str, seconds: float, usage: Usage) -> None:
    CALLS.labels(engine.name, outcome).inc()
    CALL_SECONDS.labels(engine.name).observe(seconds)
    TOKENS.labels("input").inc(usage.input_tokens)
    TOKENS.labels("output").inc(usage.output_tokens)
    COST.inc(usage.cost_usd)
