from datetime import UTC, datetime, timedelta

import pytest

from undertone.errors import UsageProblem
from undertone.times import describe_seconds, parse_duration, parse_moment

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [("30s", timedelta(seconds=30)), ("90m", timedelta(minutes=90)), ("24H", timedelta(days=1)),
     ("1.5d", timedelta(hours=36)), (" 2w ", timedelta(weeks=2))],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text: str, duration: timedelta) -> None:
    assert parse_duration(text, "--spread") == duration


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0d", "7 days", "1e3d", "٣d"])
def test_what_is_no_duration_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(UsageProblem, match="--spread is"):
        parse_duration(text, "--spread")


def test_a_moment_is_a_duration_ago_a_date_or_a_time_with_a_zone() -> None:
    assert parse_moment("24h", "--since", NOW) == NOW - timedelta(days=1)
    assert parse_moment("2026-01-31", "--since", NOW) == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_moment("2026-01-31T12:00:00+02:00", "--since", NOW) == datetime(2026, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-01-31T12:00:00", "999999w", "\x1b[31m"])
def test_what_is_no_moment_is_refused_with_one_sentence(text: str) -> None:
    with pytest.raises(UsageProblem, match="--since is") as error:
        parse_moment(text, "--since", NOW)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (185, "3 min 5 s"), (1800, "30 min"), (7200, "2 h"),
     (7800, "2 h 10 min")],
)  # fmt: skip
def test_durations_are_described_for_people(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
