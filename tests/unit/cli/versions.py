"""Versions as the read API tells of them, and a stage for promotions, for the tests of the command line."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import httpx

from undertone.errors import CommandError
from undertone.versions.api import Incomplete, Versions, VersionsApi
from undertone.versions.catching_up import How, Paused
from undertone.versions.promoting import Promoting


def a_version(name: str, **members: Any) -> dict[str, Any]:
    return {
        "analysis_version": name,
        "state": "candidate",
        "is_live": False,
        "is_on_trial": False,
        "is_seen_live": False,
        "counts": {"completed": 1_234_567, "skipped": 0, "failed": 12},
        "in_flight": 3,
        "missing": 0,
        "cost_usd": 12.5,
        **members,
    }


def all_versions(*versions: dict[str, Any], active: str | None = "old") -> dict[str, Any]:
    return {
        "accepted": 10,
        "active_version": active,
        "previous_version": None,
        "announced": True,
        "versions": list(versions),
    }


def api_that(answer: Callable[[httpx.Request], httpx.Response]) -> VersionsApi:
    return VersionsApi("http://read-api", None, transport=httpx.MockTransport(answer), sleep=lambda _: None)


@dataclass
class Stage:
    """A read API and a replay, as a promotion sees them."""

    versions: dict[str, Any]
    said: list[str] = field(default_factory=list)
    refusals: int = 0
    is_agreed: bool = True
    is_stopped: bool = False
    how: How = field(default=How(is_agreed=False, rate=0))

    def all_versions(self) -> Versions:
        return Versions(self.versions)

    def persisting(self) -> AbstractContextManager[None]:
        return nullcontext()

    def decide(self, what: str, *, now: bool | None = None) -> dict[str, Any]:
        self.said.append(f"{what} now={now}")
        (mine,) = [one for one in self.versions["versions"] if one["analysis_version"] == "new"] or [{}]
        if what == "new/trial":
            self.versions["versions"].append(a_version("new", is_live=True, is_seen_live=True, missing=5))
        elif not now and self.refusals:
            self.refusals -= 1
            raise Incomplete("1 conversations …", 1)
        return {"missing": mine.get("missing", 0), "announced": True}

    async def agree(self, standing: dict[str, Any] | None, *, now: bool, lack: str | None) -> None:
        self.said.append("asked" if lack is None else f"asked: {lack}")
        if not self.is_agreed:
            raise CommandError("Nothing was changed.")

    async def run(self) -> None:
        if self.is_stopped:
            raise Paused
        self.said.append("caught up")


def promote(stage: Stage, *, now: bool = False) -> list[str]:
    asyncio.run(Promoting(stage, "new", stage).run(now=now))  # type: ignore[arg-type]
    return stage.said
