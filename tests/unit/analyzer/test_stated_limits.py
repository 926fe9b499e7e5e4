"""Reading a pace out of what three kinds of providers state, and out of nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.llm.headers import RateLimits, rate_limits_of
from services.analyzer.stated_limits import StatedLimits


def test_a_fixed_window_is_known_from_its_beginning_on() -> None:
    stated = StatedLimits()
    for second in (40, 59, 60, 61, 70):
        stated.note(RateLimits(requests=480, requests_left=200, requests_reset_seconds=60 - second % 60))
    assert stated.calls_per_second == pytest.approx(8)


def test_a_sliding_window_is_known_from_the_first_answer_on() -> None:
    stated = StatedLimits()
    stated.note(RateLimits(requests=10, requests_left=0, requests_reset_seconds=1.0))
    assert stated.calls_per_second == 10
    stated.note(RateLimits(requests=8, requests_left=0, requests_reset_seconds=1.0))
    assert stated.calls_per_second == 8


def test_of_a_bucket_the_figure_is_never_too_low_and_comes_down_to_its_rate_as_it_empties() -> None:
    stated, rate, size = StatedLimits(), 8, 480
    for left in range(size - 1, -1, -1):
        stated.note(RateLimits(requests=size, requests_left=left, requests_reset_seconds=(size - left) / rate))
        assert stated.calls_per_second is not None
        assert stated.calls_per_second >= rate
    assert stated.calls_per_second == pytest.approx(rate)


def test_tokens_are_stated_likewise() -> None:
    stated = StatedLimits()
    stated.note(RateLimits(tokens=2_000_000, tokens_reset_seconds=60))
    assert stated.tokens_per_minute == pytest.approx(2_000_000)
    assert stated.calls_per_second is None


@pytest.mark.parametrize(
    "limits",
    [
        RateLimits(requests=480),
        RateLimits(requests_reset_seconds=60),
        RateLimits(requests=0, requests_reset_seconds=60),
        RateLimits(requests=480, requests_reset_seconds=0),
        RateLimits(requests=1_000, requests_reset_seconds=86_400),
    ],
    ids=["no reset", "no limit", "nothing granted", "reset at once", "a day's allowance"],
)
def test_what_says_nothing_about_a_pace_is_passed_over(limits: RateLimits) -> None:
    stated = StatedLimits()
    stated.note(limits)
    assert stated.calls_per_second is None


_NAMES = [f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")]


@given(
    st.lists(st.dictionaries(st.sampled_from(_NAMES), st.text("0123456789.-+eE smhdinfa,", max_size=12)), max_size=10)
)
def test_no_headers_raise_or_give_a_pace_that_is_none(answers: list[dict[str, str]]) -> None:
    stated = StatedLimits()
    for headers in answers:
        if limits := rate_limits_of(headers):
            stated.note(limits)
    for rate in (stated.calls_per_second, stated.tokens_per_minute):
        assert rate is None or 0 < rate < float("inf")
