"""Clients' windows that several instances share, and what happens while the place where they are counted is away.

A limit protects the service; it must not take it down. While the shared place does not answer, each process counts
by itself: a client may then get the limit once at every process, and no request fails or waits for it.
"""

from collections.abc import Callable
from time import monotonic

from services.runtime.logs import get_logger
from services.runtime.metrics import LIMITS_UNSHARED
from services.runtime.rate_limits import ClientLimiter, SlidingWindows, Verdict, WindowLimit

_log = get_logger(__name__)

_PROBE_SECONDS = 1.0
"""While the shared place is away one request in this time asks it; the others do not wait for it."""


class StoreAway(Exception):  # noqa: N818 - it names what happened
    """The shared place did not answer in time; the message is one sentence without secrets."""


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

    @property
    def description(self) -> str:
        """Where the counts stand, for health."""
        where = self._store.description
        return where if self._away is None else f"memory, because {where} does not answer"

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        """Count a request of a client, if it is let in."""
        if self._away is not None:
            now = self._clock()
            if now < self._ask_again_at:
                return self._count_alone(client, limit)
            self._ask_again_at = now + _PROBE_SECONDS
        try:
            verdict = await self._store.take(client, limit)
        except StoreAway as error:
            self._note_away(str(error))
            return self._count_alone(client, limit)
        self._note_back()
        if verdict.is_allowed:
            self._own.count(client, limit)
        return verdict

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()

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
