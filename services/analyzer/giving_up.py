"""Lets go of what nobody wants any more and cannot be had: so that a trial that went wrong does not stop live traffic.

A live record under several versions is acknowledged when it has its outcome under all. Where no call can be made under
one of them (a model that the provider does not know, a used budget), such records fill the window and the lane stops.
Once a decision leaves that version out, they need not wait for it, provided that they were accepted under the active
version too: a record that was accepted under that one alone still waits, for it would have no outcome at all.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from schemas.event import Lane
from services.analyzer.arrivals import Arrival
from services.analyzer.batching import BatchingWindow
from services.analyzer.ledger import Ledger
from services.analyzer.live_versions import LiveVersions
from services.analyzer.metrics import GIVEN_UP
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_LOOK_SECONDS: Final = 1.0


class GivingUp:
    """Looks at each decision, and now and then: calls may become impossible later."""

    def __init__(
        self,
        versions: LiveVersions,
        window: BatchingWindow[Arrival],
        ledger: Ledger,
        is_stuck: Callable[[str], bool],
    ) -> None:
        self._versions = versions
        self._window = window
        self._ledger = ledger
        self._is_stuck = is_stuck

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Give up what there is to be given up now."""
        for version in self._versions.known.difference(self._versions.all):
            if self._is_stuck(version):
                self._give_up(version)

    def _give_up(self, version: str) -> None:
        active = self._versions.active
        waiters = self._window.give_up(
            (Lane.LIVE, version),
            lambda waiter: waiter.lane is Lane.LIVE and active in waiter.place.receipt.accepted_under,
        )
        for waiter in waiters:
            self._ledger.done(waiter.place, version)
        if waiters:
            GIVEN_UP.inc(len(waiters))
            _log.warning("outcomes_given_up", analysis_version=version, conversations=len(waiters))
