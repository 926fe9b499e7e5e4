"""The way of a version to the front: on trial, seen by the analyzers, caught up, promoted."""

import asyncio
from dataclasses import dataclass, field

from services.runtime.counting import counted
from undertone.console import say, tell
from undertone.errors import CommandError
from undertone.replay.planning import NothingFound
from undertone.versions.api import Incomplete, VersionsApi, is_live
from undertone.versions.catching_up import CatchingUp
from undertone.versions.fleet import agree_to

_LOOK_SECONDS = 0.5
_LOOKS_BEFORE_A_WORD = 30
_ROUNDS = 100


@dataclass(slots=True)
class Promoting:
    """One promotion, whichever of its steps were done before."""

    api: VersionsApi
    version: str
    catching_up: CatchingUp
    is_begun: bool = field(default=False, init=False)
    is_on_trial: bool = field(default=False, init=False)
    """Whether live traffic is analysed under both, until it is promoted or given up."""

    def stopped(self) -> str:
        """How things stand for whoever stops it here."""
        if not self.is_begun:
            return "Stopped. Nothing was changed."
        if not self.is_on_trial:
            return f"Stopped. `undertone versions promote {self.version}` goes on."
        return (
            f"Stopped. Live traffic is still analysed under both: `undertone versions promote {self.version}` goes on, "
            f"`undertone versions trial {self.version} --end` gives it up."
        )

    async def run(self, *, now: bool) -> None:
        """All that is left to be done. Raises CommandError, and what `CatchingUp.run` raises."""
        versions = self.api.all_versions()
        standing = versions.of(self.version)
        lack = versions.lack_of(self.version)
        if versions.active is not None:
            await self.catching_up.agree(standing, now=now, lack=lack)
        else:
            agree_to(lack, is_agreed=self.catching_up.how.is_agreed)
        self.is_begun = True
        with self.api.persisting():
            if versions.active == self.version:
                tell(f"{self.version} is what readers are shown by default already.")
            elif now or versions.active is None:
                self._say_promoted(self.api.decide(f"{self.version}/promotion", now=True)["missing"])
            else:
                await self._with_full_coverage(is_begun=is_live(standing))
            await self._catch_up_afterwards()

    async def _catch_up_afterwards(self) -> None:
        try:
            await self.catching_up.run()
        except NothingFound as error:  # it is promoted, and shown: there is nothing that could be done any more
            say(f"{error} What {self.version} lacks stays as it was shown before.")
        else:
            tell(f"{self.version} lacks nothing. Live traffic is analysed under it alone.")

    async def _with_full_coverage(self, *, is_begun: bool) -> None:
        if not is_begun:
            self.api.decide(f"{self.version}/trial")
        self.is_on_trial = True
        tell(f"Live traffic is to be analysed under {self.version}, too.")
        await self._seen()
        for _ in range(_ROUNDS):
            await self.catching_up.run()
            try:
                missing = self.api.decide(f"{self.version}/promotion", now=False)["missing"]
            except Incomplete as error:
                say(str(error))  # some came to lack meanwhile
            else:
                self.is_on_trial = False
                self._say_promoted(missing)
                return
        raise CommandError(f"Conversations come to lack an outcome under {self.version} as fast as they are replayed.")

    async def _seen(self) -> None:
        """Until analyzers have read it: something received later was analysed under it, or nothing was received."""
        looks = 0
        while True:
            standing = (await asyncio.to_thread(self.api.all_versions)).of(self.version)
            if standing is not None and standing["is_seen_live"]:
                return
            looks += 1
            if looks % _LOOKS_BEFORE_A_WORD == 0:
                say(
                    f"Waiting for the analyzers to work under {self.version}; `undertone status` says whether they "
                    f"have it (ANALYZER_FURTHER_ENGINES names what they have beside their own engine)."
                )
            await asyncio.sleep(_LOOK_SECONDS)

    def _say_promoted(self, missing: int) -> None:
        lacks = f" It lacks {counted(missing, 'conversation')}: until then what is shown of that is as before."
        lacking = lacks * bool(missing)
        tell(f"{self.version} is what readers are shown by default from now on.{lacking}")
