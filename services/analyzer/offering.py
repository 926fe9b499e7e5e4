"""Says in the control log which analysis versions this instance has engines for, while it runs.

Whoever decides on versions sees it beforehand: under one that no engine has, live traffic would wait. The word is
repeated while the instance runs, and taken back when it stops; that of a killed instance comes to its end by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from schemas.analysis_control import EnginesOffered
from schemas.event import Event
from services.runtime.logs import get_logger
from services.runtime.waiting import happened

_log = get_logger(__name__)

STANDS_SECONDS: Final = 1_800.0
"""For so long a killed instance is thought to be there. Said again after a third: a late one is not missed."""
_WITHDRAW_SECONDS: Final = 5.0
"""Kafka away at the end: a stop does not wait for it."""


class Offering:
    """The word of one instance."""

    def __init__(self, versions: Sequence[str], *, instance: str, declare: Callable[[Event], Awaitable[None]]) -> None:
        self._versions = tuple(versions)
        self._instance = instance[:128]
        self._declare = declare
        self._begun = asyncio.Event()
        self._withdrawn = asyncio.Event()
        self._speaking = asyncio.Lock()

    def begin(self) -> None:
        """The control log is read: calls may start from now on."""
        self._begun.set()

    async def run(self) -> None:
        """Until it is withdrawn."""
        await self._begun.wait()
        while not self._withdrawn.is_set():
            async with self._speaking:
                if not self._withdrawn.is_set():
                    await self._declare(self._word(self._versions))
            await happened(self._withdrawn, within_seconds=STANDS_SECONDS / 3)

    async def withdraw(self) -> None:
        """Say that the instance stops; nothing when it was never heard of."""
        self._withdrawn.set()
        if not self._begun.is_set():
            return
        try:
            async with asyncio.timeout(_WITHDRAW_SECONDS), self._speaking:
                await self._declare(self._word(()))
        except TimeoutError:
            _log.warning("engines_not_withdrawn", reason="Kafka does not answer", stands_seconds=STANDS_SECONDS)

    def _word(self, versions: Sequence[str]) -> EnginesOffered:
        return EnginesOffered(
            analysis_versions=tuple(versions), stands_seconds=STANDS_SECONDS, offered_by=self._instance
        )
