"""Lets go of what nobody wants any more: so that it is not paid for, and a trial that went wrong stops no live traffic.

A live record under several versions is acknowledged when it has its outcome under all. Where no call can be made under
one of them (a model that the provider does not know, a used budget), such records fill the window and the lane stops.
Once a decision leaves that version out, they need not wait for it, provided that they were accepted under the active
version too: a record that was accepted under that one alone still waits, for it would have no outcome at all.

Under a retired version nothing is kept of what is found: copies that wait for a call under it need not be analysed.
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
            is_retired = version in self._versions.retired
            if is_retired:
                self._give_up(version, Lane.REPLAY)
            if is_retired or self._is_stuck(version):
                self._give_up(version, Lane.LIVE)

    def _give_up(self, version: str, lane: Lane) -> None:
        waiters = self._window.give_up((lane, version), self._is_unwanted)
        for waiter in waiters:
            self._ledger.done(waiter.place, version)
        if waiters:
            GIVEN_UP.inc(len(waiters))
            _log.warning("outcomes_given_up", analysis_version=version, conversations=len(waiters))

    def _is_unwanted(self, waiter: Arrival) -> bool:
        if waiter.lane is Lane.REPLAY:
            return waiter.analysis_version in self._versions.retired
        return self._versions.active in waiter.place.receipt.accepted_under
