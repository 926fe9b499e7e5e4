"""The correlation of two versions' scores, from integer sums."""

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.versioning.diffs import Sums, sums_of

scores = st.integers(-10_000, 10_000)


def sums(pairs: list[tuple[int, int]]) -> Sums:
    rows: list[dict[str, Any]] = [
        {"total": 1, "sum_a": a, "sum_b": b, "squares_a": a * a, "squares_b": b * b, "products": a * b}
        for a, b in pairs
    ]
    return sums_of(rows)


@given(st.lists(st.tuples(scores, scores), min_size=2, max_size=60))
def test_it_is_pearson_s_whatever_the_scores(pairs: list[tuple[int, int]]) -> None:
    found = sums(pairs).correlation
    if len({a for a, _ in pairs}) == 1 or len({b for _, b in pairs}) == 1:
        assert found is None
    else:
        expected = statistics.correlation([a for a, _ in pairs], [b for _, b in pairs])
        assert found == pytest.approx(expected, abs=1e-4)


def test_it_is_undefined_of_one_and_of_none() -> None:
    assert sums([]).correlation is None
    assert sums([(3, 4)]).correlation is None
