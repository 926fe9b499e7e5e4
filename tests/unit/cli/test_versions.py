"""What `undertone versions` says and asks, without a stack."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from rich.console import Console, RenderableType

from undertone import cli
from undertone.commands import versions
from undertone.errors import CommandError
from undertone.replay import job
from undertone.versions.api import Incomplete, Versions, VersionsApi
from undertone.versions.catching_up import How, Paused
from undertone.versions.promoting import Promoting
from undertone.views.versions import diff_view, versions_table


def shown(view: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


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


def a_diff(**members: Any) -> dict[str, Any]:
    side = {"sentiment": "negative", "sentiment_score": -0.5, "evidence": "still \x1b[31mnot here"}
    return {
        "a": "old",
        "b": "new",
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2026-01-02T00:00:00Z",
        "compared": 3,
        "sentiments": {one: dict.fromkeys(("negative", "neutral", "positive"), 1) for one in _FEELINGS},
        "agreement": 1 / 3,
        "scores": {"n": 3, "correlation": None, "average": {"a": -0.5, "b": 0.25}},
        "topics": [{"topic": "refunds_and_returns", "a": 1, "b": 3}],
        "most_disagreeing": [{"conversation_id": "c1", "a": side, "b": {**side, "sentiment_score": 0.9}}],
        "cost": {"a": {"cost_usd": 0.0}, "b": {"cost_usd": 1.5}},
        "missing": {"a": 0, "b": 4},
        **members,
    }


_FEELINGS = ("negative", "neutral", "positive")


def test_the_list_has_one_line_a_version_on_80_columns() -> None:
    text = shown(versions_table(all_versions(a_version("offline-1", state="active"), a_version("grok-4.4-p1"))))
    assert len(text.splitlines()) == 3
    assert "1,234,567" in text


def test_a_narrow_screen_shows_two_lines_a_version_and_cuts_none() -> None:
    found = all_versions(a_version("offline-1", state="active", is_live=True), a_version("grok-4.4-p1", missing=7))
    lines = shown(versions_table(found), width=60).splitlines()
    assert [line.rstrip() for line in lines] == [
        "offline-1  active  live: yes",
        "  1,234,567 done, 0 skipped, 12 failed, 3 in flight, 0",
        "  missing, $12.50",
        "grok-4.4-p1  candidate  live: no",
        "  1,234,567 done, 0 skipped, 12 failed, 3 in flight, 7",
        "  missing, $12.50",
    ]


def test_of_a_retired_version_nothing_is_said_to_be_missing() -> None:
    text = shown(versions_table(all_versions(a_version("gone", state="retired", missing=987_654))))
    assert "987,654" not in text


def test_a_comparison_shows_quotes_made_harmless_and_what_is_undefined() -> None:
    text = shown(diff_view(a_diff()))
    assert "\x1b" not in text
    assert "too few differing scores" in " ".join(text.split())
    assert "-0.50 → +0.25" in " ".join(text.split())
    assert "4 under new" in " ".join(text.split())


def test_each_score_stands_beside_its_own_words_however_long_they_are() -> None:
    long, short = {"evidence": "never again " * 20, "sentiment": "negative"}, {"evidence": "thanks"}
    pair: dict[str, Any] = {"conversation_id": "c1", "a": {**long, "sentiment_score": -0.5}, "b": {**long, **short}}
    pair["b"] |= {"sentiment": "positive", "sentiment_score": 0.9}
    lines = shown(diff_view(a_diff(most_disagreeing=[pair]))).splitlines()
    (line,) = [line for line in lines if line.startswith("+0.90")]
    assert "“thanks”  new" in line


def test_a_comparison_of_nothing_says_what_to_do() -> None:
    assert "No conversation" in shown(diff_view(a_diff(compared=0)))


def api_that(answer: Callable[[httpx.Request], httpx.Response]) -> VersionsApi:
    return VersionsApi("http://read-api", None, transport=httpx.MockTransport(answer), sleep=lambda _: None)


def test_a_refusal_for_coverage_carries_the_number() -> None:
    problem = {"error": "coverage_incomplete", "details": "7 conversations …", "missing": 7}
    with api_that(lambda _: httpx.Response(409, json=problem)) as api, pytest.raises(Incomplete) as refusal:
        api.decide("new/promotion", now=False)
    assert refusal.value.missing == 7


def test_a_busy_database_is_asked_again() -> None:
    answers = iter([httpx.Response(503, headers={"Retry-After": "1"}), httpx.Response(200, json={"missing": 0})])
    with api_that(lambda _: next(answers)) as api:
        assert api.decide("new/promotion", now=False) == {"missing": 0}


def test_every_page_of_what_is_missing_is_read() -> None:
    pages = {"": (["a", "b"], "next"), "next": ([], "last"), "last": (["c"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        ids, cursor = pages[request.url.params.get("cursor", "")]
        return httpx.Response(200, json={"conversation_ids": ids, "metadata": {"next_cursor": cursor}})

    with api_that(answer) as api:
        assert api.missing_ids("new", lambda _: None) == {"a", "b", "c"}


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


def test_a_promotion_is_a_trial_a_catching_up_and_a_decision() -> None:
    stage = Stage(all_versions(a_version("old", state="active")))
    assert promote(stage) == ["asked", "new/trial now=None", "caught up", "new/promotion now=False", "caught up"]


def test_what_comes_to_lack_meanwhile_is_caught_up_before_it_is_tried_again() -> None:
    on_trial = a_version("new", is_live=True, is_on_trial=True, is_seen_live=True)
    stage = Stage(all_versions(a_version("old", state="active"), on_trial), refusals=2)
    assert promote(stage) == ["asked", *["caught up", "new/promotion now=False"] * 3, "caught up"]


def test_now_promotes_first_and_catches_up_afterwards() -> None:
    stage = Stage(all_versions(a_version("old", state="active"), a_version("new", missing=5)))
    assert promote(stage, now=True) == ["asked", "new/promotion now=True", "caught up"]


def test_what_is_active_already_only_catches_up() -> None:
    assert promote(Stage(all_versions(a_version("new", state="active"), active="new"))) == ["asked", "caught up"]


@pytest.mark.parametrize("now", [True, False])
def test_who_does_not_agree_has_changed_nothing(now: bool) -> None:
    stage = Stage(all_versions(a_version("old", state="active")), is_agreed=False)
    with pytest.raises(CommandError, match="Nothing was changed"):
        promote(stage, now=now)
    assert stage.said == ["asked"]


@pytest.mark.parametrize(
    ("now", "is_agreed", "said", "not_said"),
    [
        (False, True, "still analysed under both: `undertone versions promote new` goes on", "changed"),
        (False, True, "`undertone versions trial new --end` gives it up", "changed"),
        (True, True, "`undertone versions promote new` goes on", "--end"),
        (False, False, "Nothing was changed", "goes on"),
    ],
)
def test_whoever_stops_a_promotion_is_told_how_things_stand(
    now: bool, is_agreed: bool, said: str, not_said: str
) -> None:
    stage = Stage(all_versions(a_version("old", state="active")), is_agreed=is_agreed, is_stopped=True)
    if now:
        stage.versions["versions"].append(a_version("new"))
    promoting = Promoting(stage, "new", stage)  # type: ignore[arg-type]
    with pytest.raises((Paused, CommandError)):
        asyncio.run(promoting.run(now=now))
    assert said in promoting.stopped()
    assert not_said not in promoting.stopped()


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command decides on a read API that has an active version, and one on trial."""
    found = all_versions(a_version("old", state="active"), a_version("new", is_on_trial=True))
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            paths.append(request.url.path)
        return httpx.Response(200, json=found)

    monkeypatch.setattr(versions, "_open_api", lambda *_: api_that(answer))
    return paths


@pytest.mark.parametrize(("version", "said"), [("old", "old is active"), ("new", "versions trial new --end")])
@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_what_is_in_use_is_not_retired_and_nobody_is_asked(
    posted: list[str], version: str, said: str, yes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["versions", "retire", version, *yes]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "add --yes" not in told
    assert posted == []


def test_a_misspelt_version_is_told_how_it_leaves_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        decided = {"analysis_version": "typo", "changed": True, "announced": True, "decision": 1}
        return httpx.Response(200, json=decided if request.method == "POST" else all_versions())

    monkeypatch.setattr(versions, "_open_api", lambda *_: api_that(answer))
    assert cli.main(["versions", "retire", "typo", "--now", "--yes"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "`undertone versions retire typo`, without --now, takes it off the list" in told


def test_ctrl_c_while_a_promotion_waits_is_one_line_that_says_how_things_stand(
    posted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def wait(promoting: Promoting, *, now: bool) -> None:
        promoting.is_begun = promoting.is_on_trial = not now
        raise KeyboardInterrupt

    monkeypatch.setattr(Promoting, "run", wait)
    assert cli.main(["versions", "promote", "new"]) == cli.EXIT_INTERRUPTED
    shown = capsys.readouterr()
    assert "Live traffic is still analysed under both" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("has_sent", [False, True])
def test_whatever_terminates_a_promotion_is_told_what_ctrl_c_is_told(
    posted: list[str], has_sent: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def wait(promoting: Promoting, *, now: bool) -> None:
        promoting.is_begun = promoting.is_on_trial = not now
        if has_sent:
            async with job._stoppable():
                """A round of replays has come to its end."""
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    def outlive(*_: object) -> None:
        raise AssertionError("it would have ended in silence")

    monkeypatch.setattr(Promoting, "run", wait)
    before = signal.signal(signal.SIGTERM, outlive)
    try:
        assert cli.main(["versions", "promote", "new"]) == cli.EXIT_INTERRUPTED
        assert signal.getsignal(signal.SIGTERM) is outlive
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "Live traffic is still analysed under both" in capsys.readouterr().out


def test_an_answer_that_is_no_decision_is_one_sentence() -> None:
    problem = {"error": "version_in_use", "details": "old is active: promote another version first."}
    refused = httpx.Response(409, content=json.dumps(problem))
    with api_that(lambda _: refused) as api, pytest.raises(CommandError, match="promote another version first"):
        api.decide("old/retirement", now=False)
