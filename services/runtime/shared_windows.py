"""Clients' windows that several instances share, and what happens while the place where they are counted is away.

A limit protects the service; it must not take it down. While the shared place does not answer, each process counts
by itself: a client may then get the limit once at every process, and no request fails or waits for it. Nor does a
flood become a flood there: a client that was refused is not asked about again for a moment, and only so many
requests wait for an answer at once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from services.runtime.logs import get_logger
from services.runtime.metrics import LIMITS_UNSHARED
from services.runtime.rate_limits import ClientLimiter, SlidingWindows, Verdict, WindowLimit

_log = get_logger(__name__)

_PROBE_SECONDS = 1.0
"""While the shared place is away one request in this time asks it; the others do not wait for it."""
_MAX_ASKING = 128
"""Requests that wait for an answer at once; those beyond are counted here alone. An answer costs about 0.12 ms of
this process, so that the last of them waits 15 ms: whatever takes longer is not our own queue."""
_MAX_REFUSED = 10_000
"""Refused clients remembered at once, the latest."""


class StoreAway(Exception):  # noqa: N818 - it names what happened
    """The shared place did not answer in time; the message is one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """What a client was told at `at`; it holds until `until` without asking again."""

    verdict: Verdict
    at: float
    until: float


class SharedWindows:
    """Counts in `store`, and in this process alone while the store is away.

    What the store lets in is counted here as well, so that its going away gives nobody a fresh window.
    """

    def __init__(self, store: ClientLimiter, own: SlidingWindows, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._own = own
        self._clock = clock
        self._away: str | None = None
        self._ask_again_at = 0.0
        self._asking = 0
        self._refused: OrderedDict[tuple[str, WindowLimit], _Refused] = OrderedDict()

    @property
    def description(self) -> str:
        """Where the counts stand, for health."""
        where = self._store.description
        return where if self._away is None else f"memory, because {where} does not answer"

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        """Count a request of a client, if it is let in."""
        now = self._clock()
        if (refused := self._refused.get((client, limit))) is not None and now < refused.until:
            return replace(refused.verdict, wait_seconds=refused.verdict.wait_seconds - (now - refused.at))
        if self._away is not None:
            if now < self._ask_again_at:
                return self._count_alone(client, limit)
            self._ask_again_at = now + _PROBE_SECONDS
        if self._asking >= _MAX_ASKING:
            return self._count_alone(client, limit)
        return await self._ask(client, limit)

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()

    async def _ask(self, client: str, limit: WindowLimit) -> Verdict:
        self._asking += 1
        try:
            verdict = await self._store.take(client, limit)
        except StoreAway as error:
            self._note_away(str(error))
            return self._count_alone(client, limit)
        finally:
            self._asking -= 1
        self._note_back()
        if verdict.is_allowed:
            self._own.count(client, limit)
        else:
            self._remember(client, limit, verdict)
        return verdict

    def _remember(self, client: str, limit: WindowLimit, verdict: Verdict) -> None:
        """For a hundredth of the window, and a second at most: the told wait may be longer than what is due."""
        now = self._clock()
        until = now + min(verdict.wait_seconds, limit.seconds / 100, 1.0)
        self._refused[client, limit] = _Refused(verdict, now, until)
        self._refused.move_to_end((client, limit))
        if len(self._refused) > _MAX_REFUSED:
            self._refused.popitem(last=False)

    def _count_alone(self, client: str, limit: WindowLimit) -> Verdict:
        LIMITS_UNSHARED.inc()
        return self._own.count(client, limit)

    def _note_away(self, reason: str) -> None:
        self._ask_again_at = self._clock() + _PROBE_SECONDS
        if self._away is None:
            _log.warning("limits_unshared", store=self._store.description, reason=reason)
        self._away = reason

    def _note_back(self) -> None:
        if self._away is not None:
            self._away = None
            _log.info("limits_shared_again", store=self._store.description)
