"""Counts with their nouns: one is one, wherever a command tells of it."""

import pytest

from services.runtime.counting import counted
from undertone.console import new_output
from undertone.views.insights import footer, not_yet_under
from undertone.views.trends import trends_view


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 insights"), (1, "1 insight"), (2, "2 insights"), (1_000, "1,000 insights")]
)
def test_a_noun_is_in_the_number_that_its_count_needs(count: int, said: str) -> None:
    assert counted(count, "insight") == said


def test_a_plural_that_is_not_made_by_an_s_is_given() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


def test_one_insight_of_one_day_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert footer({"total_count": 1}, 1).plain == "1 of 1 insight"
    assert footer({"total_count": 9, "count_is_exact": False}, 1).plain.startswith("1 of more than 9 insights")
    assert "1 conversation is not analysed" in not_yet_under({"missing_under_version": 1}).plain
    new_output(80).print(trends_view({"total_insights": 1, "window_days": 1.0}))
    assert "1 insight in 1 day\n" in capsys.readouterr().out
