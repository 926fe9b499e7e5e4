"""A whole number is split without a remainder."""

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.splitting import split


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**5), max_size=50))
def test_parts_add_up_to_the_whole(total: int, weights: list[int]) -> None:
    parts = split(total, weights)

    assert sum(parts) == (total if weights else 0)
    assert all(part >= 0 for part in parts)
