"""`dlq redrive` and `drop` deal with the letters that were counted for whoever agreed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from undertone.commands import dlq_decisions
from undertone.commands.dlq_decisions import redrive

GROUP = "28195057f37c"
COUNTED_AT = "2026-03-02T09:30:00.123456Z"
PILE = {"topic": "conversations.received.v1", "reason": "llm_error", "can_be_sent": True, "count": 5, "bytes": 50}


class Answers:
    """A read API with five letters, of which `left` are still there when the redrive comes."""

    def __init__(self, left: int, moment: Mapping[str, str]) -> None:
        self._left = left
        self._moment = moment
        self.asked: list[Mapping[str, Any]] = []

    def post(self, _path: str, members: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(members)
        if members.get("dry_run"):
            return {"would_redrive": 5, "piles": [PILE], **self._moment}
        return {"redriven": self._left, "remaining": 0}

    @contextmanager
    def opened(self, *_: object) -> Iterator["Answers"]:
        yield self


def redriven(monkeypatch: pytest.MonkeyPatch, left: int, **moment: str) -> list[Mapping[str, Any]]:
    api = Answers(left, moment)
    monkeypatch.setattr(dlq_decisions, "open_api", api.opened)
    redrive([GROUP], yes=True)
    return api.asked


def test_a_redrive_states_the_moment_at_which_its_letters_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    _, decision = redriven(monkeypatch, 5, as_of=COUNTED_AT)
    assert (decision["as_of"], decision["selection"]) == (COUNTED_AT, {"fingerprint": GROUP})


def test_a_read_api_that_states_no_moment_is_sent_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _, decision = redriven(monkeypatch, 5)
    assert "as_of" not in decision


def test_that_somebody_else_was_faster_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    redriven(monkeypatch, 0, as_of=COUNTED_AT)
    assert "Nothing of it waits any more" in capsys.readouterr().out
