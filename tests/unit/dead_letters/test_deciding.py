from collections.abc import Mapping
from typing import Any

import pytest

from undertone.dead_letters.deciding import Totals, carry_out
from undertone.errors import CommandError


class Answers:
    """An API that answers so, and keeps what it was asked."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self._answers = list(answers)
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, members: Mapping[str, object]) -> Mapping[str, Any]:
        self.asked.append(members)
        return self._answers.pop(0)


def _report_to_nobody(totals: Totals) -> None:
    del totals


def _carry_out(*answers: Mapping[str, Any]) -> tuple[Totals, Answers]:
    api = Answers(*answers)
    return carry_out(api, {"selection": {"everything": True}}, _report_to_nobody), api


def test_steps_go_on_under_one_id_until_nothing_remains() -> None:
    totals, api = _carry_out({"redriven": 500, "remaining": 7}, {"redriven": 7, "remaining": 0})
    assert (totals.redriven, totals.done) == (507, 507)
    assert [asked["action_id"] for asked in api.asked] == [totals.action_id] * 2


def test_what_is_unknown_is_asked_again() -> None:
    totals, _ = _carry_out(
        {"redriven": 0, "unknown": 3, "remaining": 0}, {"redriven": 1, "found_sent": 2, "remaining": 0}
    )
    assert (totals.redriven, totals.found_sent) == (1, 2)


def test_what_is_refused_counts_as_dealt_with() -> None:
    refused = {"dead_letter_id": "1", "problem": "too large"}
    totals, _ = _carry_out({"redriven": 0, "refused": [refused], "remaining": 1}, {"redriven": 1, "remaining": 0})
    assert (totals.redriven, totals.refused) == (1, [refused])


def test_no_step_is_repeated_for_ever() -> None:
    with pytest.raises(CommandError, match="4 dead letters left"):
        _carry_out({"redriven": 2, "remaining": 4}, {"redriven": 0, "remaining": 4})
