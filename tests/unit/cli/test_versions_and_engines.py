"""Whoever decides on a version hears first which analyzers lack its engine."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.unit.cli.versions import Stage, a_version, all_versions, api_that, promote
from undertone import cli
from undertone.errors import UsageProblem
from undertone.versions import catching_up, options
from undertone.versions.catching_up import How
from undertone.versions.fleet import Analyzers, lack_of

NOBODY_HAS_IT = "No analyzer has new: live traffic waits until the analyzers are started with it"


def has(instance: str, *versions: str, minutes: float = 0.0) -> dict[str, Any]:
    return {
        "instance": instance,
        "analysis_versions": list(versions),
        "age_seconds": minutes * 60,
        "is_overdue": minutes >= 15,
    }


@pytest.mark.parametrize(
    ("analyzers", "said"),
    [
        (None, None),
        ([], None),
        ([has("a", "new"), has("b", "old", "new")], None),
        ([has("a", "old")], NOBODY_HAS_IT),
        ([has("a", "old"), has("b", "old")], NOBODY_HAS_IT),
        ([has("a", "new"), has("b", "old")], "b does not have new: its part of live traffic waits"),
        ([has("a", "new"), has("b", "old"), has("c", "old")], "b and c do not have new: their part"),
        ([has("x", "new"), *(has(name, "old") for name in "abcde")], "a, b, c and 2 more do not have new"),
        ([has("a", "old", minutes=20)], None),
        ([has("a", "new"), has("b", "old", minutes=20)], None),
        ([has("a", "new", minutes=20)], "a, which has new, was last heard of 20 minutes ago"),
        ([has("a", "new", minutes=20), has("b", "old")], "a, which has new, was last heard of 20 minutes ago"),
        ([has("a\x1b[31m", "new"), has("b\x1b[31m", "old")], "b\N{REPLACEMENT CHARACTER}[31m does not have"),
    ],
)
def test_what_live_traffic_would_wait_for_is_one_sentence(analyzers: Analyzers | None, said: str | None) -> None:
    found = lack_of("new", analyzers)
    assert (found is None) == (said is None)
    assert (said or "") in (found or "")


def test_a_promotion_asks_with_the_sentence_first() -> None:
    stage = Stage({**all_versions(a_version("old", state="active")), "analyzers": [has("a", "old")]})
    assert promote(stage)[0].startswith(f"asked: {NOBODY_HAS_IT}")


def test_a_first_promotion_asks_although_nothing_is_to_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    stage = Stage({**all_versions(active=None), "analyzers": [has("a", "old")]})
    with pytest.raises(UsageProblem, match=r"No analyzer has new.*add --yes"):
        promote(stage)
    assert stage.said == []
    stage.how = How(is_agreed=True, rate=0)
    assert promote(stage)[0] == "new/promotion now=True"


@pytest.mark.parametrize(("cost", "said"), [(None, "lacks nothing; then"), (object(), "lacks nothing, and paid for;")])
def test_live_traffic_under_both_is_paid_for_where_the_engine_costs(
    cost: object | None, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def quote(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(cost=cost)

    monkeypatch.setattr(catching_up, "quote", quote)
    monkeypatch.setattr(catching_up, "quote_lines", lambda _: [])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with api_that(lambda _: httpx.Response(500)) as api:
        setup: Any = SimpleNamespace(connection=None, api=api, plans=None)
        asking = catching_up.CatchingUp(setup, api, "new", How(is_agreed=False, rate=0))
        chosen: Any = None
        with pytest.raises(UsageProblem, match=r"No analyzer has new: it waits\. Replay them"):
            asyncio.run(asking._agree(chosen, now=False, lack="No analyzer has new: it waits."))
    assert said in capsys.readouterr().out


@dataclass
class Answering:
    """A read API with an active version, and the one that was active before."""

    analyzers: Analyzers | None
    standing: dict[str, Any] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        found = all_versions(a_version("old", state="active", is_live=True), a_version("new", **self.standing))
        if request.method == "POST":
            self.posted.append(request.url.path.removeprefix("/api/v1/versions/"))
            return httpx.Response(200, json={"analysis_version": "new", "missing": 0, "announced": True})
        return httpx.Response(200, json={**found, "previous_version": "new", "analyzers": self.analyzers})


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answering]:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)

    def start(analyzers: Analyzers | None, **standing: Any) -> Answering:
        api = Answering(analyzers, standing)
        monkeypatch.setattr(options, "open_api", lambda *_: api_that(api.answer))
        return api

    return start


DECISIONS = [(["rollback"], "rollback"), (["trial", "new"], "new/trial")]


@pytest.mark.parametrize(("command", "posted"), DECISIONS)
def test_what_would_stop_live_traffic_is_refused_where_nobody_can_be_asked(
    answering: Callable[..., Answering], command: list[str], posted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api = answering([has("a", "old")])
    assert cli.main(["versions", *command]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert NOBODY_HAS_IT in told
    assert "add --yes. Nothing was changed." in told
    assert api.posted == []
    assert cli.main(["versions", *command, "--yes"]) == 0
    assert NOBODY_HAS_IT in " ".join(capsys.readouterr().err.split())
    assert api.posted == [posted]


@pytest.mark.parametrize(("command", "posted"), DECISIONS)
@pytest.mark.parametrize("analyzers", [None, [], [has("a", "new")]])
def test_where_all_have_it_or_nobody_says_anything_nobody_is_asked(
    answering: Callable[..., Answering],
    command: list[str],
    posted: str,
    analyzers: Analyzers | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = answering(analyzers)
    assert cli.main(["versions", *command]) == 0
    assert capsys.readouterr().err == ""
    assert api.posted == [posted]


def test_what_is_live_already_is_said_and_not_asked(
    answering: Callable[..., Answering], capsys: pytest.CaptureFixture[str]
) -> None:
    api = answering([has("a", "old")], is_live=True, is_on_trial=True)
    assert cli.main(["versions", "trial", "new"]) == 0
    assert NOBODY_HAS_IT in " ".join(capsys.readouterr().err.split())
    assert api.posted == ["new/trial"]


def test_a_rollback_that_will_be_refused_is_not_asked_about(answering: Callable[..., Answering]) -> None:
    api = answering([has("a", "old")], missing=3)
    assert cli.main(["versions", "rollback"]) == 0
    assert api.posted == ["rollback"]


def test_the_list_says_what_live_traffic_waits_for(
    answering: Callable[..., Answering], capsys: pytest.CaptureFixture[str]
) -> None:
    answering([has("a", "new")])
    assert cli.main(["versions", "list"]) == 0
    assert "No analyzer has old: live traffic waits" in " ".join(capsys.readouterr().out.split())
