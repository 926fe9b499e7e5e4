"""The order of acknowledgement: only what has nothing undone before it."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.acknowledgements import AcknowledgementOrder, Place


def _order(*offsets: int, partition: int = 0) -> tuple[AcknowledgementOrder[int], list[Place[int]]]:
    order: AcknowledgementOrder[int] = AcknowledgementOrder()
    places = [order.register(partition, offset, offset) for offset in offsets]
    return order, [place for place in places if place is not None]


def test_a_record_is_acknowledged_only_when_all_before_it_are_done() -> None:
    order, (first, second, third) = _order(10, 11, 12)
    assert order.done(third) == []
    assert order.done(first) == [10]
    assert order.done(second) == [11, 12]
    assert len(order) == 0


def test_partitions_do_not_wait_for_each_other() -> None:
    order: AcknowledgementOrder[str] = AcknowledgementOrder()
    order.register("live-0", 1, "a")
    other = order.register("live-1", 1, "b")
    assert other is not None
    assert order.done(other) == ["b"]


def test_a_record_that_is_done_twice_is_acknowledged_once() -> None:
    order, (first, second) = _order(1, 2)
    assert order.done(second) == []
    assert order.done(second) == []
    assert order.done(first) == [1, 2]


def test_a_record_delivered_twice_in_a_generation_keeps_its_first_place() -> None:
    order, (place,) = _order(5)
    assert order.register(0, 5, 55) is None
    assert order.register(0, 4, 44) is None
    assert order.done(place) == [5]


def test_what_was_begun_in_an_older_generation_is_never_acknowledged() -> None:
    order, (old,) = _order(7)
    assert order.begin_generation() == [7]
    assert not order.is_current(old)
    again = order.register(0, 7, 77)
    assert again is not None
    assert order.done(old) == []
    assert order.done(again) == [77]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.integers(0, 2)),
        st.tuples(st.just("done"), st.integers(0, 60)),
        st.tuples(st.just("rebalance"), st.just(0)),
    ),
    max_size=120,
)


@given(_STEPS)
def test_in_any_history_acknowledged_offsets_are_the_contiguous_done_head_of_their_generation(
    steps: list[tuple[str, int]],
) -> None:
    order: AcknowledgementOrder[tuple[int, int, int]] = AcknowledgementOrder()
    next_offset: dict[int, int] = defaultdict(int)
    places: list[Place[tuple[int, int, int]]] = []
    done: set[tuple[int, int, int]] = set()
    acknowledged: list[tuple[int, int, int]] = []
    for step, number in steps:
        if step == "register":
            receipt = (order.generation, number, next_offset[number])
            place = order.register(number, next_offset[number], receipt)
            assert place is not None
            places.append(place)
            next_offset[number] += 1
        elif step == "done" and places:
            place = places[number % len(places)]
            done.add(place.receipt)
            acknowledged += order.done(place)
        elif step == "rebalance":
            order.begin_generation()
            next_offset.clear()
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= done
    for generation, partition in {(g, p) for g, p, _ in acknowledged}:
        offsets = [offset for g, p, offset in acknowledged if (g, p) == (generation, partition)]
        assert offsets == list(range(len(offsets)))
    for place in places:
        if place.is_done and place.receipt not in acknowledged and order.is_current(place):
            before = [p for p in places if p.partition == place.partition and order.is_current(p)]
            assert any(not p.is_done for p in before if p.offset < place.offset)
