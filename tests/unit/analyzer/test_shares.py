"""What a call used is shared so that nothing of it is lost or counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.engine import NOTHING, Usage
from services.analyzer.shares import added, left_of, share_out

_nanousd = st.integers(0, 10**9).map(lambda nano: nano / 1e9)
_usages = st.builds(Usage, st.integers(0, 10**6), st.just(0), st.integers(0, 10**6), _nanousd)


def _sum(parts: list[Usage]) -> Usage:
    total = NOTHING
    for part in parts:
        total = added(total, part)
    return total


@given(_usages, st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 1)), min_size=1, max_size=50))
def test_the_parts_add_up_to_the_call(usage: Usage, weights: list[tuple[int, int]]) -> None:
    parts = share_out(usage, [given for given, _ in weights], [taken for _, taken in weights])
    assert _sum(parts) == usage
    assert left_of(usage, parts) == NOTHING


@given(_usages, _usages)
def test_what_is_left_and_what_is_carried_add_up_to_the_whole(one: Usage, other: Usage) -> None:
    assert left_of(added(one, other), [other]) == one


def test_who_has_no_weight_carries_nothing() -> None:
    parts = share_out(Usage(100, 0, 20, 0.000_15), [7, 0, 3], [1, 0, 1])
    assert parts == [Usage(70, 0, 10, 0.000_1), NOTHING, Usage(30, 0, 10, 0.000_05)]


def test_a_cost_without_tokens_goes_to_those_who_have_weight() -> None:
    assert share_out(Usage(cost_usd=0.5), [0, 0], [0, 1]) == [NOTHING, Usage(cost_usd=0.5)]
