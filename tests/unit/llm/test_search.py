"""The search for bad conversations: it finds exactly them, for few calls, and always ends."""

import math
import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.llm.search import BadConversationSearch

Drive = Callable[[BadConversationSearch, tuple[int, ...]], None]


def run(search: BadConversationSearch, drive: Drive, limit: int = 5_000) -> list[tuple[int, ...]]:
    """All calls until the search is over."""
    calls: list[tuple[int, ...]] = []
    while call := search.next_call():
        assert len(calls) < limit, "the search does not end"
        calls.append(call)
        drive(search, call)
    return calls


def failing_with(bad: set[int]) -> Drive:
    def drive(search: BadConversationSearch, call: tuple[int, ...]) -> None:
        if bad & set(call):
            search.failed("unusable")
        else:
            search.answered()

    return drive


def refusing(bad: set[int]) -> Drive:
    def drive(search: BadConversationSearch, call: tuple[int, ...]) -> None:
        search.answered({position: "evidence_not_found" for position in call if position in bad})

    return drive


def most_calls(size: int, bad: int) -> int:
    """The first call, and what the contract allows beyond it."""
    return 1 if bad == 0 else 1 + 1 + bad * math.ceil(math.log2(size)) + bad


sizes_and_bad = st.integers(1, 60).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1), max_size=size))
)


@given(sizes_and_bad)
def test_whoever_makes_calls_fail_is_found_for_few_calls_and_nobody_else(case: tuple[int, set[int]]) -> None:
    size, bad = case
    search = BadConversationSearch(size)

    calls = run(search, failing_with(bad))

    assert set(search.bad) == bad
    assert len(calls) <= most_calls(size, len(bad))


@given(sizes_and_bad)
def test_whoever_is_refused_each_time_is_found_for_few_calls_and_was_sent_alone_last(
    case: tuple[int, set[int]],
) -> None:
    size, bad = case
    search = BadConversationSearch(size)

    calls = run(search, refusing(bad))

    assert set(search.bad) == bad
    assert len(calls) <= most_calls(size, len(bad))
    for position in bad:
        assert [call for call in calls if position in call][-1] == (position,)


@given(sizes_and_bad, st.data())
def test_both_kinds_of_bad_ones_in_one_batch_are_found_for_few_calls(
    case: tuple[int, set[int]], data: st.DataObject
) -> None:
    size, bad = case
    failing = set(data.draw(st.lists(st.sampled_from(sorted(bad))))) if bad else set()
    search = BadConversationSearch(size)

    def drive(search: BadConversationSearch, call: tuple[int, ...]) -> None:
        failing_with(failing)(search, call) if failing & set(call) else refusing(bad - failing)(search, call)

    calls = run(search, drive)

    assert set(search.bad) == bad
    assert len(calls) <= most_calls(size, len(bad))


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_the_search_ends_and_every_good_answer_is_kept_whatever_happens(size: int, seed: int) -> None:
    chance = random.Random(seed)
    answered: set[int] = set()
    search = BadConversationSearch(size)

    def drive(search: BadConversationSearch, call: tuple[int, ...]) -> None:
        assert not answered & set(call), "what was answered is never paid for again"
        match chance.randrange(4):
            case 0:
                search.failed("unusable")
            case 1:
                search.truncated()
            case _:
                reasons = ("truncated", "indistinguishable", "out_of_range")
                refused = {position: chance.choice(reasons) for position in call if chance.random() < 0.3}
                search.answered(refused)
                answered.update(set(call) - set(refused))

    run(search, drive)

    assert answered | set(search.bad) == set(range(size))
    assert not answered & set(search.bad)


def test_a_clean_batch_is_one_call() -> None:
    assert run(BadConversationSearch(50), failing_with(set())) == [tuple(range(50))]


def test_an_empty_batch_is_no_call() -> None:
    assert BadConversationSearch(0).next_call() == ()


def test_the_right_half_is_not_sent_to_learn_what_is_known() -> None:
    search = BadConversationSearch(4)

    calls = run(search, failing_with({3}))

    assert calls == [(0, 1, 2, 3), (0, 1), (2,), (3,)]
    assert search.bad == {3: "unusable"}


def test_what_is_unsent_goes_together_into_one_call() -> None:
    calls = run(BadConversationSearch(8), failing_with({0}))

    assert calls == [tuple(range(8)), (0, 1, 2, 3), (0, 1), (0,), (1, 2, 3, 4, 5, 6, 7), (0,)]


def test_the_refused_go_again_together_once_and_the_unlucky_succeed() -> None:
    search = BadConversationSearch(10)
    search.answered({2: "missing_result", 7: "evidence_shared"})

    assert search.next_call() == (2, 7)
    search.answered({7: "evidence_shared"})
    assert search.next_call() == (7,)
    search.answered()

    assert search.next_call() == ()
    assert search.bad == {}


def test_one_who_was_singled_out_by_bad_luck_succeeds_in_the_end() -> None:
    search = BadConversationSearch(2)
    search.failed("unusable")  # the model stumbled, over nothing
    search.answered()  # (0,)

    assert search.next_call() == (1,)
    search.answered()

    assert search.bad == {}


def test_a_final_refusal_is_not_tried_again() -> None:
    search = BadConversationSearch(3)
    search.answered({1: "content_refused"}, final={1})

    assert search.next_call() == ()
    assert search.bad == {1: "content_refused"}


def test_the_truncated_are_not_to_blame_and_go_again() -> None:
    search = BadConversationSearch(4)
    search.answered({2: "truncated", 3: "truncated"})

    assert search.next_call() == (2, 3)
    search.answered()

    assert search.bad == {}


def test_a_truncated_call_goes_again_in_halves() -> None:
    search = BadConversationSearch(8)
    search.truncated()

    assert search.next_call() == (0, 1, 2, 3)
    search.truncated()
    assert search.next_call() == (0, 1)


def test_one_that_is_truncated_alone_is_bad_in_the_end() -> None:
    search = BadConversationSearch(1)

    assert run(search, lambda search, _: search.truncated()) == [(0,), (0,)]
    assert search.bad == {0: "truncated"}
