"""How long the supervisor waits before it starts a part again."""

from hypothesis import given
from hypothesis import strategies as st

from undertone.embedded.supervisor import (
    FIRST_PAUSE_SECONDS,
    GOOD_MINUTE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Backoff,
)


def test_the_pause_doubles_up_to_its_longest() -> None:
    backoff = Backoff()
    assert [backoff.pause_after(0.1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_good_minute_forgets_the_deaths_before() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.pause_after(0.1)
    assert backoff.pause_after(GOOD_MINUTE_SECONDS) == FIRST_PAUSE_SECONDS
    assert backoff.pause_after(0.1) == 2 * FIRST_PAUSE_SECONDS


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_the_pause_is_never_shorter_than_the_first_nor_longer_than_the_longest(lives: list[float]) -> None:
    backoff = Backoff()
    for lived_seconds in lives:
        assert FIRST_PAUSE_SECONDS <= backoff.pause_after(lived_seconds) <= LONGEST_PAUSE_SECONDS
