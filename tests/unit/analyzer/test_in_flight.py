"""The in-flight window: bounded by bytes and by count, freed at acknowledgement."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.in_flight import InFlightWindow, needed_by_paced


def test_there_is_room_up_to_the_count() -> None:
    window = InFlightWindow(max_bytes=1_000, max_count=2)
    window.take(1)
    assert window.has_room(1)
    window.take(1)
    assert not window.has_room(1)
    window.free(1)
    assert window.has_room(1)


def test_a_record_larger_than_the_window_is_let_in_alone() -> None:
    window = InFlightWindow(max_bytes=10, max_count=5)
    assert window.has_room(100)
    window.take(100)
    assert not window.has_room(0)
    window.free(100)
    assert window.has_room(5)


def test_clearing_frees_everything() -> None:
    window = InFlightWindow(max_bytes=10, max_count=5)
    window.take(7)
    window.clear()
    assert (window.bytes, window.count) == (0, 0)


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 100), st.integers(1, 10))
def test_the_bounds_hold_for_any_records_that_fit(sizes: list[int], max_bytes: int, max_count: int) -> None:
    window = InFlightWindow(max_bytes=max_bytes, max_count=max_count)
    inside: list[int] = []
    for size in sizes:
        while not window.has_room(size):
            window.free(inside.pop(0))
        window.take(size)
        inside.append(size)
        assert window.count == len(inside) <= max_count
        assert window.bytes == sum(inside)
        assert window.bytes <= max_bytes or len(inside) == 1


def test_full_use_of_the_limit_needs_as_many_records_as_calls_can_hold() -> None:
    assert needed_by_paced(10, 30, 25) == 7_500
