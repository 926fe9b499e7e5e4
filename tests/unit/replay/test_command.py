"""What cannot be asked for is one sentence, said before anything is reached."""

import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from undertone.cli import main
from undertone.commands import replay
from undertone.replay.api import ReplayApi
from undertone.replay.planning import Asked, Chosen

NOBODY_HAS_IT = "No analyzer has typo: the replay lane waits until the analyzers are started with it"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "What to replay? Give --since"),
        (("--since", "1h", "--until", "2h"), "is not before --until"),
        (("--since", "2999-01-01"), "is not before --until"),
        (("--since", "soon"), "--since is 'soon'"),
        (("--since", "1h", "--subject", "nonsense"), "which is no subject"),
        (("--since", "1h", "--channel", "a b"), "--channel is 'a b'"),
        (("--since", "1h", "--sentiment", "angry"), "is not one of 'positive', 'neutral', 'negative'"),
        (("--since", "1h", "--analysis-version", "a/b"), "--analysis-version is 'a/b'"),
        (("--since", "1h", "--name", "../x"), "cannot name a replay"),
        (("--conversation", "a b"), "which is no conversation id"),
        (("pause", "nobody"), "There is no replay 'nobody' in this folder"),
        (("cancel", "nobody"), "There is no replay 'nobody' in this folder"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["replay", *arguments]) == 2
    shown = capsys.readouterr()
    assert said in " ".join(shown.err.split())
    assert shown.out == ""


class FakeApi(ReplayApi):
    """A read API that knows two versions, and what the only analyzer has."""

    def __init__(self, *offered: str) -> None:
        self._offered = offered

    def versions(self) -> tuple[str | None, list[str]]:
        return "old", ["old", "typo"]

    def refuse_retired(self, version: str | None) -> None:
        """Nothing is retired."""

    def get(self, path: str, parameters: object = None) -> dict[str, Any]:
        assert path == "/api/v1/versions"
        one = {"instance": "a", "analysis_versions": self._offered, "age_seconds": 1, "is_overdue": False}
        return {"analyzers": [one]}


Start = Callable[..., list[str]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """What is sent is kept, by name, instead; nobody can be asked."""
    sent: list[str] = []

    async def look_for(_: object, asked: Asked) -> Chosen:
        return Chosen({0: array("q", [1])}, 1, (asked.conversation_ids or frozenset()) - {"mine-1"})

    async def write_down(_: object, __: object, ___: object, terms: Any) -> None:
        sent.append(terms.name)

    async def nothing(*_: object, **__: object) -> None:
        """Neither priced nor sent."""

    def begin(*offered: str) -> list[str]:
        @contextmanager
        def open_setup(*_: object) -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(api=FakeApi(*offered), plans=None)

        monkeypatch.setattr(replay, "open_setup", open_setup)
        return sent

    monkeypatch.setattr(replay, "look_for", look_for)
    monkeypatch.setattr(replay, "write_down", write_down)
    for name in ("send", "_show_price"):
        monkeypatch.setattr(replay, name, nothing)
    for name in ("refuse_taken_name", "finish"):
        monkeypatch.setattr(replay, name, lambda *_, **__: None)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    return begin


ASKED = ["replay", "--since", "1h", "--name", "mine", "--analysis-version", "typo"]


def test_a_version_that_no_analyzer_has_is_refused_where_nobody_can_be_asked(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = start("old")
    assert main(ASKED) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert NOBODY_HAS_IT in told
    assert "Send them all the same? Nobody can be asked here: add --yes. Nothing was sent." in told
    assert sent == []


@pytest.mark.parametrize(("option", "sent"), [("--yes", ["mine"]), ("--dry-run", [])])
def test_who_agreed_or_only_asks_is_told_that_no_analyzer_has_the_version(
    option: str, sent: list[str], start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    found = start("old")
    assert main([*ASKED, option]) == 0
    assert NOBODY_HAS_IT in " ".join(capsys.readouterr().err.split())
    assert found == sent


def test_of_a_version_that_the_analyzers_have_nothing_is_said(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    sent = start("old", "typo")
    assert main([*ASKED, "--yes"]) == 0
    assert (capsys.readouterr().err, sent) == ("", ["mine"])


def test_what_of_the_named_ones_exists_is_sent_and_the_rest_is_named(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = start("old")
    assert main(["replay", "--conversation", "mine-1", "--conversation", "nope", "--name", "mine", "--yes"]) == 0
    assert "Not found, 1 of 2: nope." in capsys.readouterr().err
    assert sent == ["mine"]
