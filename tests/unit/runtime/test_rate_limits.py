"""Limits, on a clock that the test moves."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.runtime.rate_limits import SlidingWindows, TokenBucket, WindowLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_the_burst_in_at_once_and_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 5, clock)
    assert [bucket.take().is_allowed for _ in range(6)] == [True] * 5 + [False]
    clock.now += 0.1
    assert [bucket.take().is_allowed for _ in range(2)] == [True, False]


def test_a_refused_request_is_let_in_after_the_wait_that_it_was_told() -> None:
    clock = Clock()
    bucket = TokenBucket(0.5, 1, clock)
    bucket.take()
    refused = bucket.take()
    assert (refused.is_allowed, refused.retry_after) == (False, 2)
    clock.now += refused.wait_seconds
    assert bucket.take().is_allowed


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.integers(1, 50), st.integers(1, 20))
def test_a_bucket_never_lets_in_more_than_burst_plus_rate_times_time(
    pauses: list[float], rate: int, burst: int
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, clock)
    allowed = 0
    for pause in pauses:
        clock.now += pause
        allowed += bucket.take().is_allowed
    assert allowed <= burst + rate * (clock.now - 1000.0) + 1e-6


async def test_a_window_lets_its_number_in_and_tells_the_next_when_to_come() -> None:
    clock = Clock()
    windows, limit = SlidingWindows(clock), WindowLimit(3, 10)
    verdicts = [await windows.take("a", limit) for _ in range(4)]
    assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    clock.now += verdicts[3].wait_seconds + 0.01
    assert (await windows.take("a", limit)).is_allowed


async def test_clients_do_not_share_their_windows() -> None:
    windows, limit = SlidingWindows(Clock()), WindowLimit(1, 10)
    assert [(await windows.take(client, limit)).is_allowed for client in "aab"] == [True, False, True]


@example([2.0, 8.0], 1)
@given(st.lists(st.floats(0, 8), min_size=1, max_size=120), st.integers(1, 12))
async def test_no_fixed_window_ever_takes_more_than_the_limit(pauses: list[float], requests: int) -> None:
    clock = Clock()
    windows, limit = SlidingWindows(clock), WindowLimit(requests, 10)
    allowed: dict[int, int] = {}
    for pause in pauses:
        clock.now += pause
        verdict = await windows.take("a", limit)
        window = int(clock.now // 10)
        allowed[window] = allowed.get(window, 0) + verdict.is_allowed
        if not verdict.is_allowed:
            assert 0 <= verdict.wait_seconds <= 20  # 0: at the very instant a window begins; any later one will do
            assert verdict.retry_after >= 1
    assert max(allowed.values()) <= requests


async def test_a_flood_of_clients_is_forgotten_from_the_oldest_on() -> None:
    windows, limit = SlidingWindows(Clock(), max_clients=2), WindowLimit(1, 10)
    for client in "abc":
        await windows.take(client, limit)
    assert len(windows._clients) == 2
    assert not (await windows.take("c", limit)).is_allowed


@pytest.mark.parametrize("text", ["60", "60/60", "0/60s", "60/0s", "sixty/60s", "60/60m", "-1/60s"])
def test_a_limit_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 60/60s"):
        WindowLimit.parse(text)


def test_limits_are_read_and_nothing_means_none() -> None:
    assert WindowLimit.parse("60/30s") == WindowLimit(60, 30)
    assert WindowLimit.parse(" ") is WindowLimit.parse("off") is None
