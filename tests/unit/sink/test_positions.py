import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.positions import (
    InvalidPosition,
    position_after_page,
    position_text,
    read_position,
    spans_between,
)

positions = st.dictionaries(st.integers(0, 40), st.integers(0, 2**63 - 1))
logs = st.dictionaries(st.integers(0, 3), st.sets(st.integers(0, 30)))


@given(positions)
def test_an_id_is_read_as_it_was_written(position: dict[int, int]) -> None:
    assert read_position(position_text(position)) == position


@pytest.mark.parametrize(
    "text", ["a", "1", "1:", ":1", "1:2:3", "1:-2", "1:2;3:4", "1:٣", "1:9223372036854775808", "1" * 40_000]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidPosition):
        read_position(text)


@given(logs, st.integers(1, 4), st.data())
def test_pages_of_any_size_tell_everything_once_and_in_order(
    log: dict[int, set[int]], limit: int, data: st.DataObject
) -> None:
    stored = {partition: max(offsets, default=-1) + 1 for partition, offsets in log.items()}
    position: dict[int, int] = data.draw(st.fixed_dictionaries({p: st.integers(0, end) for p, end in stored.items()}))
    expected = {(p, offset) for p, offsets in log.items() for offset in offsets if offset >= position[p]}
    told: list[tuple[int, int]] = []
    is_whole = False
    while not is_whole:
        page = [
            (partition, offset)
            for partition, low, high in spans_between(position, stored)
            for offset in sorted(one for one in log[partition] if low <= one < high)[:limit]
        ]
        told += page
        position, is_whole = position_after_page(position, stored, page, limit)
    assert len(told) == len(expected)
    assert set(told) == expected
    assert position == stored
    for partition in log:
        of_partition = [offset for one, offset in told if one == partition]
        assert of_partition == sorted(of_partition)


def test_a_partition_that_was_not_there_is_read_from_its_beginning() -> None:
    assert spans_between({0: 5}, {0: 7, 1: 3}) == [(0, 5, 7), (1, 0, 3)]


def test_a_reader_follows_an_offset_that_was_set_back() -> None:
    assert spans_between({0: 50}, {0: 7}) == []
    assert position_after_page({0: 50}, {0: 7}, [], 10) == ({0: 7}, True)
