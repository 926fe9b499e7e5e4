"""Stretches of an order's values: together all of them, each once, whatever time they take."""

import itertools

import pytest

from services.sink.reads.filters import ORDERS, Order
from services.sink.reads.stretches import Patience, Stretches
from services.sink.rows import SCORE_UNIT

ENDS = {"most_negative": (-SCORE_UNIT, SCORE_UNIT), "least_confident": (0.0, 1.0)}


class Scripted(Patience):
    """Says of each stretch in turn whether it was quick, the last answer for ever."""

    def __init__(self, *answers: bool) -> None:
        super().__init__()
        self._answers = list(answers)

    def was_quick(self) -> bool:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def edges(order: Order, start: float | None, *answers: bool) -> list[float | None]:
    """Where each stretch begins, and where the last ends; each begins where the one before ended."""
    stretches = list(Stretches(order, start, Scripted(*answers)))
    for before, following in itertools.pairwise(stretches):
        assert before.high == following.low
    return [stretches[0].low, *(one.high for one in stretches)]


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("answers", [(True,), (False,), (True, False, True, True, False)])
@pytest.mark.parametrize("from_middle", [False, True])
async def test_stretches_are_all_values_in_order(name: str, answers: tuple[bool, ...], *, from_middle: bool) -> None:
    first, last = ENDS[name]
    start = (first + last) / 2 if from_middle else None
    found = edges(ORDERS[name], start, *answers)
    assert found[0] == start
    assert found[-1] is None, "whatever is left is in the last"
    inner = [one for one in found[1:-1] if one is not None]
    assert inner == sorted(set(inner))
    assert all(first < one < last for one in inner)


async def test_quick_stretches_grow_and_slow_ones_do_not() -> None:
    order = ORDERS["most_negative"]
    assert len(edges(order, None, False)) > 90
    assert len(edges(order, None, True)) < 20


async def test_a_cursor_near_the_end_leaves_one_stretch() -> None:
    assert edges(ORDERS["most_negative"], SCORE_UNIT - 1, False) == [SCORE_UNIT - 1, None]


async def test_scores_are_whole_numbers() -> None:
    assert all(isinstance(one, int) for one in edges(ORDERS["most_negative"], None, True)[1:-1])
