"""What the commands that decide on versions say and ask, without a stack."""

import asyncio
import signal

import httpx
import pytest

from tests.unit.cli.versions import a_version, all_versions, api_that
from undertone import cli
from undertone.replay import job
from undertone.versions import options
from undertone.versions.promoting import Promoting


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command decides on a read API that has an active version, and one on trial."""
    found = all_versions(a_version("old", state="active"), a_version("new", is_on_trial=True))
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            paths.append(request.url.path)
        return httpx.Response(200, json=found)

    monkeypatch.setattr(options, "open_api", lambda *_: api_that(answer))
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

    monkeypatch.setattr(options, "open_api", lambda *_: api_that(answer))
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
