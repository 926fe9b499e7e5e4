from collections.abc import Sequence
from math import ceil, log2

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.isolation import store_isolating


class Table:
    """Takes everything but what is bad, whole batches only."""

    def __init__(self, bad: frozenset[int]) -> None:
        self._bad = bad
        self.rows: list[int] = []
        self.given_up: list[int] = []
        self.tries = 0

    async def store(self, records: Sequence[int]) -> None:
        self.tries += 1
        if self._bad.intersection(records):
            raise asyncpg.DataError
        self.rows += records

    async def give_up(self, record: int, _error: Exception) -> None:
        self.given_up.append(record)


@given(st.integers(1, 200), st.sets(st.integers(0, 199), max_size=5))
async def test_each_bad_record_is_given_up_and_every_neighbour_is_stored(count: int, bad: set[int]) -> None:
    bad = {one for one in bad if one < count}
    table = Table(frozenset(bad))
    await store_isolating(range(count), table.store, table.give_up)
    assert table.rows == [one for one in range(count) if one not in bad]
    assert table.given_up == sorted(bad)
    assert table.tries <= 1 + 2 * len(bad) * ceil(log2(count)) if count > 1 else table.tries == 1


async def test_what_is_no_refusal_is_raised() -> None:
    async def fail(_records: Sequence[int]) -> None:
        raise ConnectionResetError

    async def never(_record: int, _error: Exception) -> None:
        raise AssertionError("nothing may be given up while Postgres is away")

    with pytest.raises(ConnectionResetError):
        await store_isolating([1, 2], fail, never)
