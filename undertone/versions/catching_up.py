"""Replaying what a version lacks, round after round, until it lacks nothing.

Each round is a replay like any other (undertone/replay): written down before it sends, so one that was stopped is gone
on with. The next round begins only when the replay lane is empty: what is on it comes by itself.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.topics import ANALYZED
from services.runtime.counting import counted
from undertone.console import confirm, say, tell_facts
from undertone.errors import CommandError
from undertone.replay.job import Setup, look_for, send, write_down
from undertone.replay.logs import cluster_id, explained
from undertone.replay.planning import Asked, Chosen, NothingFound, Terms, address_of
from undertone.replay.plans import Replay, State
from undertone.replay.quotes import QUOTE_INDENT, quote_lines
from undertone.replay.quoting import quote
from undertone.replay.watching import watching
from undertone.versions.api import VersionsApi, is_live
from undertone.versions.fleet import agree_to
from undertone.versions.lane import lane_is_empty

_LOOK_SECONDS = 1.0
_QUIET_LOOKS = 3
"""So often nothing may have moved, with nothing on its way, before another round begins."""


class Paused(Exception):  # noqa: N818 - it names what happened, as house style asks
    """A person stopped it; the same command goes on."""


@dataclass(frozen=True, slots=True)
class How:
    """How what is missing is to be sent."""

    is_agreed: bool
    rate: float


@dataclass(slots=True)
class CatchingUp:
    """One version's way to full coverage."""

    setup: Setup
    api: VersionsApi
    version: str
    how: How

    async def run(self) -> None:
        """Replay and wait until nothing is missing. Raises CommandError, and Paused."""
        while lacking := await self._missing():
            earlier = await self._earlier()
            begun = next((one for one in earlier if not one.state.has_ended), None)
            if begun is None:
                if earlier and (lacking := await self._wait()) == 0:
                    return
                begun = await self._begin(lacking)
            if (await send(self.setup, begun.name)).state is State.PAUSED:
                raise Paused
            left = await self._wait()
            if left >= lacking:
                raise CommandError(
                    f"{counted(left, 'conversation')} got no outcome under {self.version} by being replayed: "
                    f"`undertone status` says whether analyzers work, `undertone dlq list` what failed."
                )

    async def agree(self, standing: Mapping[str, Any] | None, *, now: bool, lack: str | None = None) -> None:
        """Say what it takes at most, and ask, before anything is changed. Raises CommandError when it is not to be.

        `standing`: None while nothing is known under the version. `lack`: what analyzers are missing for it, if
        anything. Who stopped a promotion that was under way, or lacks nothing, is not asked, unless live traffic
        would wait that does not yet.
        """
        is_complete = standing is not None and not standing["missing"]
        if self.how.is_agreed or is_complete or any(not one.state.has_ended for one in await self._earlier()):
            agree_to(lack, is_agreed=self.how.is_agreed or is_live(standing))
            return
        ids = None if standing is None else await self._missing_ids(standing["missing"])
        try:
            chosen = await look_for(self.setup, self._asked(ids))
        except NothingFound:
            if not now:
                raise
            agree_to(lack, is_agreed=is_live(standing))
        else:
            await self._agree(chosen, now=now, lack=lack)

    async def _missing(self) -> int:
        return int((await self._standing())["missing"])

    async def _standing(self) -> Mapping[str, Any]:
        standing = (await asyncio.to_thread(self.api.all_versions)).of(self.version)
        if standing is None:
            raise CommandError(f"Nothing is known under the analysis version {self.version}.")
        return standing

    async def _earlier(self) -> list[Replay]:
        """The replays of earlier rounds on this Kafka, of whichever process."""
        plans, here = self.setup.plans, address_of(self.setup.connection)
        ours = [plans.load(name) for name in plans.names() if name.startswith(self._prefix)]
        ours = [one for one in ours if one.kafka == here and one.analysis_version == self.version]
        if not ours:
            return []
        async with explained(self.setup.connection):
            cluster = await cluster_id(self.setup.connection)
        return [one for one in ours if not one.is_of_another(cluster)]

    @property
    def _prefix(self) -> str:
        return f"promote-{re.sub(r'[^A-Za-z0-9._-]', '_', self.version)[:40]}-"

    async def _begin(self, lacking: int) -> Replay:
        """Choose what is missing, and write it down."""
        ids = await self._missing_ids(lacking)
        asked = self._asked(ids)
        chosen = await look_for(self.setup, asked)
        if chosen.count < len(ids):
            say(
                f"{len(ids) - chosen.count:,} of them are not in Kafka any more, or came again meanwhile; those that "
                f"stay missing are shown by what the version before says, if it is promoted with --now."
            )
        terms = Terms(self._next_name(), self.version, self.how.rate, asked.until)
        return await write_down(self.setup, asked, chosen, terms)

    async def _missing_ids(self, lacking: int) -> frozenset[str]:
        with watching("Listing") as show:
            return await asyncio.to_thread(self.api.missing_ids, self.version, lambda found: show(found, lacking))

    def _asked(self, ids: frozenset[str] | None) -> Asked:
        """What is missing; None: everything."""
        text = f"what {self.version} lacks"
        return Asked(since=None, until=datetime.now(UTC), is_open=True, conversation_ids=ids, text=text)

    def _next_name(self) -> str:
        number = 1
        while self.setup.plans.exists(f"{self._prefix}{number}"):
            number += 1
        return f"{self._prefix}{number}"

    async def _agree(self, chosen: Chosen, *, now: bool, lack: str | None) -> None:
        found = await quote(self.setup, chosen, self.version, rate=self.how.rate, is_to_be_live=True)
        paid = "" if found.cost is None else ", and paid for"
        until_then = "" if now else f"under both until {self.version} lacks nothing{paid}; then "
        live = f"  live traffic  {until_then}under {self.version} alone"
        tell_facts([*quote_lines(found), live], QUOTE_INDENT)
        question = f"Show {self.version} at once, and replay them?" if now else "Replay them, and promote it?"
        confirm(question if lack is None else f"{lack} {question}", "Nothing was changed.")

    async def _wait(self) -> int:
        """Until nothing is missing, or nothing more is on its way; gives how many are missing then."""
        before, quiet = -1, 0
        with watching("Analysing") as show:
            while True:
                versions = await asyncio.to_thread(self.api.all_versions)
                standing = versions.of(self.version) or {}
                left = int(standing["missing"])
                show(versions.accepted - left - int(standing["in_flight"]), versions.accepted, f"{left:,} missing")
                quiet = quiet + 1 if left == before and await self._is_quiet() else 0
                if not left or quiet >= _QUIET_LOOKS:
                    return left
                before = left
                await asyncio.sleep(_LOOK_SECONDS)

    async def _is_quiet(self) -> bool:
        """Whether analyzers have dealt with the replay lane, and the sink has stored what they found."""
        if not await lane_is_empty(self.setup.connection):
            return False
        stored = await asyncio.to_thread(self.api.get, "/api/v1/status")
        return (stored["lag"] or {}).get(ANALYZED.name) == 0
