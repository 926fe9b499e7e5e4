"""What becomes of a batch: calls of the engine until every conversation has an outcome or waits again.

Most batches are one call. When results are refused or a call fails as a whole, the search for the bad ones goes on
with further calls, each with a permit of its own. An outage, a limit or a wrong setting is nobody's fault: what has
no outcome waits again. What is raised here besides is unexpected and ends the process.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.analysis_control import HoldDeclared
from schemas.analysis_failed import FailureReason
from schemas.topics import CONTROL
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Asking, NotSentError
from services.analyzer.batching import Batch, BatchingWindow, Queue, Work
from services.analyzer.engine import (
    NOTHING,
    Answer,
    AnswerTruncated,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Finding,
    Refusal,
)
from services.analyzer.ledger import Ledger
from services.analyzer.llm.breaker import Circuit
from services.analyzer.llm.search import BadConversationSearch
from services.analyzer.outbox import Outbox
from services.analyzer.permissions import Permission
from services.runtime.logs import get_logger

_log = get_logger(__name__)

OUTAGES_AN_ATTEMPT: Final = 3
"""Of a provider of whose calls 3 in 10 fail, 5 in a row meet one conversation of 400 by chance; 15 meet none."""
LONGEST_BACKOFF_SECONDS: Final = 30.0
LONGEST_HOLD_SECONDS: Final = 7 * 86_400.0


class Permissions(Protocol):
    """Gives permission for a further call of a batch, before any new batch goes out."""

    async def again(self, queue: Queue, works: Sequence[Work[Arrival]]) -> Permission | None:
        """None when it will not be given: a rebalance, or the end of the process."""
        ...


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How often a conversation may fail alone, and how long to wait after an outage."""

    max_attempts: int
    backoff_seconds: float


class Calls:
    """Runs batches; one task a batch."""

    def __init__(
        self,
        *,
        asking: Asking,
        window: BatchingWindow[Arrival],
        ledger: Ledger,
        outbox: Outbox,
        policy: CallPolicy,
        instance: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._asking = asking
        self._window = window
        self._ledger = ledger
        self._outbox = outbox
        self._policy = policy
        self._instance = instance
        self._sleep = sleep

    async def run(self, batch: Batch[Arrival], permission: Permission | None, permissions: Permissions) -> None:
        """Bring every work of the batch to its outcome, or let it wait again."""
        search = BadConversationSearch(len(batch.works))
        unsettled = dict(enumerate(batch.works))
        is_clean = True
        while permission is not None and (positions := search.next_call()):
            works = [batch.works[position] for position in positions]
            try:
                answer = await self._asking.ask(batch, works, permission)
            except NotSentError:
                self._again(unsettled.values())
                return
            except (EngineUnavailable, EngineLimited, EngineMisconfigured) as error:
                await self._nobodys_fault(works, unsettled.values(), permission, error)
                return
            except EngineError as error:
                is_clean = False
                self._call_failed(search, works, permission, error)
            else:
                permission.breaker.answered(permission.circuit)
                refused = self._told(batch.analysis_version, search, positions, answer)
                is_clean = is_clean and not refused
                for position in set(positions) - refused:
                    del unsettled[position]
            await self._fail_the_bad(search, unsettled)
            further = search.next_call()
            permission = await self._further(batch, further, permissions) if further else None
        self._again(unsettled.values())
        if is_clean and batch.is_full:
            self._window.sizes.of(batch.analysis_version).grow()

    @staticmethod
    async def _further(
        batch: Batch[Arrival], positions: Collection[int], permissions: Permissions
    ) -> Permission | None:
        queue = (batch.lane, batch.analysis_version)
        return await permissions.again(queue, [batch.works[position] for position in positions])

    def _call_failed(
        self, search: BadConversationSearch, works: list[Work[Arrival]], permission: Permission, error: EngineError
    ) -> None:
        _log.warning("call_failed", reason=error.reason, kind=type(error).__name__, conversations=len(works))
        permission.breaker.answered(permission.circuit)
        self._window.sizes.of(works[0].analysis_version).shrink()
        if isinstance(error, AnswerTruncated):
            search.truncated()
        else:
            search.failed(error.reason)

    def _told(
        self, version: str, search: BadConversationSearch, positions: Collection[int], answer: Answer
    ) -> set[int]:
        """Tell the search of an answer; the positions whose results were refused."""
        refusals = {
            position: result
            for position, result in zip(positions, answer.results, strict=True)
            if isinstance(result, Refusal)
        }
        if any(refusal.reason == "truncated" for refusal in refusals.values()):
            self._window.sizes.of(version).shrink()
        search.answered(
            {position: refusal.reason for position, refusal in refusals.items()},
            {position for position, refusal in refusals.items() if refusal.is_final},
        )
        assert all(isinstance(result, Finding | Refusal) for result in answer.results)
        return set(refusals)

    async def _fail_the_bad(self, search: BadConversationSearch, unsettled: dict[int, Work[Arrival]]) -> None:
        for position, reason in search.bad.items():
            work = unsettled.pop(position, None)
            if work is not None:
                await self._fail(work, self._asking.failure_of(work), reason)

    async def _nobodys_fault(
        self,
        works: list[Work[Arrival]],
        unsettled: Collection[Work[Arrival]],
        permission: Permission,
        error: EngineError,
    ) -> None:
        _log.warning("call_failed", reason=error.reason, kind=type(error).__name__, conversations=len(works))
        unsettled = list(unsettled)
        if isinstance(error, EngineLimited):
            permission.breaker.answered(permission.circuit)
            await self._hold(error)
        elif isinstance(error, EngineMisconfigured):
            permission.breaker.misconfigured(permission.circuit, error.reason)
        else:
            unsettled = await self._outage(works, unsettled, permission, error)
        self._again(unsettled)

    async def _hold(self, error: EngineLimited) -> None:
        if error.hold_seconds <= 0:
            return
        seconds = min(error.hold_seconds, LONGEST_HOLD_SECONDS)
        hold = HoldDeclared(hold_seconds=seconds, paid_only=True, reason=error.reason[:300], declared_by=self._instance)
        await self._outbox.declare(CONTROL, "hold", hold)

    async def _outage(
        self, works: list[Work[Arrival]], unsettled: list[Work[Arrival]], permission: Permission, error: EngineError
    ) -> list[Work[Arrival]]:
        """Back off; it is held against a conversation only that was alone while the circuit was closed."""
        is_counted = permission.breaker.circuit is Circuit.CLOSED and len(works) == 1
        permission.breaker.failed(permission.circuit, error.reason)
        self._window.sizes.of(works[0].analysis_version).shrink()
        if is_counted:
            works[0].lone_outages += 1
            if works[0].lone_outages >= self._policy.max_attempts * OUTAGES_AN_ATTEMPT:
                await self._fail(works[0], FailureReason.LLM_ERROR, error.reason)
                return [work for work in unsettled if work is not works[0]]
        for work in unsettled:
            work.outages += 1
        exponent = min(max(work.outages for work in unsettled) - 1, 10)
        ceiling = min(self._policy.backoff_seconds * 2**exponent, LONGEST_BACKOFF_SECONDS)
        await self._sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, no secret
        return unsettled

    async def _fail(self, work: Work[Arrival], reason: FailureReason, detail: str) -> None:
        self._window.finish(work)
        for place, waiter in enumerate(work.waiters):
            spent = NOTHING if place else work.spent
            await self._outbox.fail(waiter, reason, detail, attempts=work.calls, spent=spent)

    def _again(self, works: Collection[Work[Arrival]]) -> None:
        """Let them wait again for those who still do: the records of others come again, here or elsewhere.

        At the end nobody waits any more: what was in no call was dropped already.
        """
        for work in works:
            work.waiters = [waiter for waiter in work.waiters if self._ledger.is_current(waiter.place)]
            if work.waiters and self._ledger.is_open:
                self._window.send_again(work)
            else:
                self._window.finish(work)
