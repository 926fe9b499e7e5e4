"""Reading what a provider says about its limits in response headers. Pure; nonsense reads as not stated."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_HOLD_SECONDS = 24 * 3600.0
"""A provider that asks for more is asked again after a day."""
DEFAULT_HOLD_SECONDS = 2.0
"""Where a 429 does not say how long."""
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the provider grants and what is left of it, as far as the last answer said."""

    requests: int | None = None
    requests_left: int | None = None
    requests_reset_seconds: float | None = None
    tokens: int | None = None
    tokens_left: int | None = None
    tokens_reset_seconds: float | None = None


def rate_limits_of(headers: Mapping[str, str]) -> RateLimits | None:
    """The `x-ratelimit-…` headers; None when there are none. Over which time they run, providers do not say."""
    limits = RateLimits(
        requests=_count(headers.get("x-ratelimit-limit-requests")),
        requests_left=_count(headers.get("x-ratelimit-remaining-requests")),
        requests_reset_seconds=duration_of(headers.get("x-ratelimit-reset-requests")),
        tokens=_count(headers.get("x-ratelimit-limit-tokens")),
        tokens_left=_count(headers.get("x-ratelimit-remaining-tokens")),
        tokens_reset_seconds=duration_of(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if limits == RateLimits() else limits


def hold_seconds_of(headers: Mapping[str, str], now: datetime) -> float:
    """How long a 429 asks us to wait: Retry-After as seconds or date, else the reset of what is used up.

    A date is measured against the answer's own Date, so that neither clock need be right.
    """
    stated = _retry_after(headers, now)
    if stated is None:
        limits = rate_limits_of(headers)
        stated = _longest_reset(limits) if limits else None
    return DEFAULT_HOLD_SECONDS if stated is None else min(max(stated, 0.0), MAX_HOLD_SECONDS)


def duration_of(text: str | None) -> float | None:
    """Seconds of `1.5`, `20ms`, `6m0s` or `1h`; None for anything else."""
    if text is None:
        return None
    text = text.strip().lower()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not text or _DURATION.sub("", text):
        return None
    return math.fsum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text))


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after")
    if text is None:
        return None
    if (seconds := duration_of(text)) is not None:
        return seconds
    moment = _date(text)
    return None if moment is None else (moment - (_date(headers.get("date")) or now)).total_seconds()


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _longest_reset(limits: RateLimits) -> float | None:
    used_up = [
        reset
        for left, reset in (
            (limits.requests_left, limits.requests_reset_seconds),
            (limits.tokens_left, limits.tokens_reset_seconds),
        )
        if left == 0 and reset is not None
    ]
    return max(used_up, default=None)


def _count(text: str | None) -> int | None:
    return int(float(text)) if text is not None and _NUMBER.fullmatch(text.strip()) else None
