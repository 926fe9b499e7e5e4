"""Repeats the decision under which versions live traffic is analysed, before the control log forgets it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.event import Event
from services.analyzer.live_versions import LiveVersions
from services.runtime.logs import get_logger
from services.runtime.waiting import happened

_log = get_logger(__name__)

_LOOK_SECONDS: Final = 60.0


class Repeating:
    """Looks now and then whether it is time; one instance of the fleet does it, that which owns live partition 0."""

    def __init__(
        self, versions: LiveVersions, *, is_ours: Callable[[], bool], declare: Callable[[Event], Awaitable[None]]
    ) -> None:
        self._versions = versions
        self._is_ours = is_ours
        self._declare = declare
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Something changed: look now."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._wake.clear()
            decision = self._versions.to_repeat() if self._is_ours() else None
            if decision is not None:
                _log.info("live_versions_repeated", active=decision.analysis_version, serial=decision.serial)
                await self._declare(decision)
            await happened(self._wake, within_seconds=_LOOK_SECONDS)
