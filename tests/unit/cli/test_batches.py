from hypothesis import given
from hypothesis import strategies as st

from undertone.ingest.batches import Batch, Done, Order, in_batches
from undertone.ingest.entries import Unreadable
from undertone.ingest.outgoing import Outgoing


def _items(sizes: list[int]) -> list[Outgoing | Unreadable]:
    """An item a size; 0 is an entry that could not be read."""
    return [
        Outgoing(number, f"c{number}", b"x" * size) if size else Unreadable(number, "is not JSON")
        for number, size in enumerate(sizes, start=1)
    ]


def _numbers(batch: Batch) -> list[int]:
    return sorted([one.number for one in batch.outgoing] + [one.number for one in batch.rejections])


@given(st.lists(st.integers(0, 60)), st.integers(1, 10), st.integers(50, 200))
def test_batches_hold_every_entry_once_in_order_and_stay_within_their_limits(
    sizes: list[int], size: int, max_bytes: int
) -> None:
    batches = list(in_batches(_items(sizes), size=size, max_bytes=max_bytes))
    assert [number for batch in batches for number in _numbers(batch)] == list(range(1, len(sizes) + 1))
    for batch in batches:
        assert 1 <= batch.entries <= size
        assert batch.body_bytes == sum(len(one.body) + 1 for one in batch.outgoing)
        assert batch.body_bytes <= max_bytes or len(batch.outgoing) == 1


@given(st.permutations(range(8)))
def test_batches_are_accounted_for_in_the_files_order_whatever_the_order_of_their_end(ending: list[int]) -> None:
    order = Order()
    tickets = [order.begin() for _ in range(8)]
    ended: set[int] = set()
    accounted: list[int] = []
    for position in ending:
        ended.add(position)
        accounted += [done.entries for done in order.end(tickets[position], Done(position, 0, ()))]
        head = next((n for n in range(8) if n not in ended), 8)
        assert accounted == list(range(head))


def test_batches_may_begin_while_others_end() -> None:
    order = Order()
    first, second = order.begin(), order.begin()
    assert order.end(first, Done(1, 1, ()))[0].entries == 1
    third = order.begin()
    assert order.end(third, Done(3, 3, ())) == []
    assert [done.entries for done in order.end(second, Done(2, 2, ()))] == [2, 3]
