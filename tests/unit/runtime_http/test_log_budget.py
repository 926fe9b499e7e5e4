"""A flood of refusals writes a few lines a second, and says how many it withheld."""

from services.runtime.log_budget import LogBudget


def test_lines_beyond_the_budget_are_counted_and_told_with_the_next_one() -> None:
    now = [10.0]
    budget = LogBudget(2, lambda: now[0])
    assert [budget.spend() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 11.0
    assert [budget.spend() for _ in range(2)] == [3, 0]
