"""Durations and moments as people write them on a command line: `7d`, `90m`, `2026-01-31`."""

import re
from datetime import UTC, datetime, timedelta

from undertone.errors import UsageProblem

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhdw])")


def parse_duration(text: str, option: str) -> timedelta:
    """`7d` as seven days. Raises UsageProblem that names the option."""
    match = _DURATION.fullmatch(text.strip().lower())
    duration = timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else timedelta(0)
    if not duration:
        raise UsageProblem(f"{option} is {text[:40]!r}; a duration such as 30m, 24h or 7d is needed.")
    return duration


def parse_moment(text: str, option: str, now: datetime) -> datetime:
    """A duration before now, a date (its beginning, UTC) or an ISO 8601 time with a zone. Raises UsageProblem."""
    if _DURATION.fullmatch(text.strip().lower()):
        try:
            return now - parse_duration(text, option)
        except OverflowError as error:
            raise UsageProblem(f"{option} is {text!r}, which lies before all time.") from error
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageProblem(
            f"{option} is {text[:40]!r}; a duration such as 24h, a date such as 2026-01-31 or a time such as "
            f"2026-01-31T12:00:00Z is needed."
        ) from error
    if moment.tzinfo is not None:
        return moment
    if len(text.strip()) > len("2026-01-31"):
        raise UsageProblem(f"{option} is {text[:40]!r}, a time without a zone; write {text.strip()[:40]}Z for UTC.")
    return moment.replace(tzinfo=UTC)


def describe_seconds(seconds: float) -> str:
    """A duration for a person: `0.8 s`, `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two_units(whole // 60, "min", whole % 60, "s")
    return _two_units(whole // 3600, "h", whole % 3600 // 60, "min")


def _two_units(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
