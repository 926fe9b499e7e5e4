"""Slices of a window, against minutes that hold what hypothesis put there."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.sink.reads.slices import Minute, ReadMinutes, slices
from services.sink.windows import MINUTE, Window

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTES = st.dictionaries(st.integers(0, 300), st.integers(1, 50), max_size=60)
SECONDS = st.integers(0, 300 * 60)


def reading(totals: dict[int, int]) -> ReadMinutes:
    async def read(window: Window, limit: int) -> Sequence[Minute]:
        minutes = [Minute(START + number * MINUTE, total) for number, total in sorted(totals.items(), reverse=True)]
        return [minute for minute in minutes if window.start <= minute.start < window.end][:limit]

    return read


@given(totals=MINUTES, ends=st.lists(SECONDS, min_size=2, max_size=2, unique=True), rows=st.integers(1, 200))
async def test_slices_lead_through_every_minute_once_from_the_newest_to_the_oldest(
    totals: dict[int, int], ends: list[int], rows: int
) -> None:
    low, high = (START + timedelta(seconds=second) for second in sorted(ends))
    window = Window(low, high)
    ranges = [one async for some in slices(reading(totals), window, rows) for one in some]
    assert all(one.start < one.end for one in ranges)
    assert all(newer.start >= older.end for newer, older in itertools.pairwise(ranges))
    expected = sum(
        (
            min(high, START + (number + 1) * MINUTE) - max(low, START + number * MINUTE)
            for number in totals
            if START + number * MINUTE < high and START + (number + 1) * MINUTE > low
        ),
        timedelta(),
    )
    assert sum((one.length for one in ranges), timedelta()) == expected


@given(totals=MINUTES, rows=st.integers(1, 200), growth=st.integers(1, 4))
async def test_each_slice_but_the_last_holds_as_many_rows_as_were_asked_for_and_no_minute_more(
    totals: dict[int, int], rows: int, growth: int
) -> None:
    window = Window(START, START + 301 * MINUTE)
    found = [some async for some in slices(reading(totals), window, rows, growth=growth)]
    wanted = rows
    for some in found[:-1]:
        held = [
            total
            for number, total in sorted(totals.items(), reverse=True)
            if any(one.start <= START + number * MINUTE < one.end for one in some)
        ]
        assert sum(held) >= wanted
        assert sum(held[:-1]) < wanted
        wanted *= growth


async def test_slices_grow_no_further_than_to_the_most() -> None:
    totals = dict.fromkeys(range(200), 10)
    window = Window(START, START + 200 * MINUTE)
    found = [
        sum((one.end - one.start) // MINUTE * 10 for one in some)
        async for some in slices(reading(totals), window, 10, growth=4, most=300)
    ]
    assert found[:5] == [10, 40, 160, 300, 300]
    assert sum(found) == 2_000
    larger = [some async for some in slices(reading(totals), window, 500, growth=4, most=300)]
    assert len(larger) == 4, "what is asked for at first stands"
