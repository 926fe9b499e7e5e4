"""What headers say about limits, and what they do not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.llm.headers import (
    DEFAULT_HOLD_SECONDS,
    MAX_HOLD_SECONDS,
    RateLimits,
    duration_of,
    hold_seconds_of,
    rate_limits_of,
)

NOW = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1.5", 1.5), ("20ms", 0.02), ("6m0s", 360), ("1h2m3s", 3723), ("1d", 86_400), (" 3S ", 3)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "1e9", "nan", "inf", "5 parsecs", "s", "1.2.3"])
def test_what_is_no_duration_is_none(text: str | None) -> None:
    assert duration_of(text) is None


def test_a_retry_after_date_counts_from_the_date_of_the_answer() -> None:
    headers = {"retry-after": "Mon, 02 Mar 2026 10:00:00 GMT", "date": "Mon, 02 Mar 2026 09:59:00 GMT"}

    assert hold_seconds_of(headers, NOW) == 60


def test_a_retry_after_date_without_one_counts_from_our_clock() -> None:
    assert hold_seconds_of({"retry-after": "Mon, 02 Mar 2026 10:00:00 GMT"}, NOW) == 3600


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0),
        ("999999999", MAX_HOLD_SECONDS),
        ("Mon, 02 Mar 9026 08:00:00 GMT", MAX_HOLD_SECONDS),
        ("tomorrow", DEFAULT_HOLD_SECONDS),
        ("-1", DEFAULT_HOLD_SECONDS),
    ],
)
def test_a_hold_is_never_negative_nor_endless(retry_after: str, seconds: float) -> None:
    assert hold_seconds_of({"retry-after": retry_after}, NOW) == seconds


def test_without_retry_after_the_reset_of_what_is_used_up_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "50s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "12s",
    }

    assert hold_seconds_of(headers, NOW) == 12
    assert hold_seconds_of({}, NOW) == DEFAULT_HOLD_SECONDS


def test_rate_limits_are_read_and_nonsense_is_left_out() -> None:
    headers = {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "many",
        "x-ratelimit-limit-tokens": "2000000",
    }

    assert rate_limits_of(headers) == RateLimits(requests=600, tokens=2_000_000)
    assert rate_limits_of({"content-type": "application/json"}) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_do_harm(first: str, second: str) -> None:
    names = ("retry-after", "date", "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens")
    seconds = hold_seconds_of({names[0]: first, names[1]: second, names[2]: first, names[3]: second}, NOW)

    assert 0 <= seconds <= MAX_HOLD_SECONDS
