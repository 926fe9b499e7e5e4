"""Where reading starts: `beginning`, `latest`, an offset, the last few, or a moment. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from undertone.errors import UsageProblem
from undertone.times import parse_moment

_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class LogRange:
    """What a partition holds: from `beginning` up to, without, `end`."""

    beginning: int
    end: int

    def clamp(self, offset: int) -> int:
        """The offset, or the end that is closer."""
        return max(self.beginning, min(offset, self.end))


class Start(Protocol):
    """Where to start in each partition."""

    def offset(self, log: LogRange, at_moment: int | None) -> int:
        """The first offset to read; `at_moment` is the first one at or after the moment that was asked for."""


@dataclass(frozen=True, slots=True)
class FromBeginning:
    """The oldest that is kept."""

    def offset(self, log: LogRange, at_moment: int | None) -> int:  # noqa: ARG002 - no moment was asked for
        return log.beginning


@dataclass(frozen=True, slots=True)
class FromOffset:
    """An offset; a negative one counts back from the end, so that 0 from the end is what comes next."""

    number: int
    is_from_end: bool

    def offset(self, log: LogRange, at_moment: int | None) -> int:  # noqa: ARG002 - no moment was asked for
        return log.clamp(log.end - self.number if self.is_from_end else self.number)


@dataclass(frozen=True, slots=True)
class FromMoment:
    """The first record that Kafka received at or after a moment."""

    moment: datetime

    def offset(self, log: LogRange, at_moment: int | None) -> int:
        return log.end if at_moment is None else log.clamp(at_moment)


LATEST = FromOffset(0, is_from_end=True)


def parse_start(text: str, now: datetime) -> Start:
    """Read the option --from. Raises UsageProblem."""
    match text.strip().lower():
        case "beginning" | "earliest":
            return FromBeginning()
        case "latest" | "end":
            return LATEST
    if _NUMBER.fullmatch(text):
        return FromOffset(abs(int(text)), is_from_end=text.startswith("-"))
    try:
        return FromMoment(parse_moment(text, "--from", now))
    except UsageProblem:
        raise UsageProblem(
            f"--from is {text[:40]!r}; beginning, latest, an offset, -10 (the last 10), a duration such as 24h or a "
            f"time such as 2026-01-31T12:00:00Z is needed."
        ) from None


def starts_of(start: Start, logs: Mapping[int, LogRange], at_moment: Mapping[int, int | None]) -> dict[int, int]:
    """The first offset to read of each partition."""
    return {partition: start.offset(log, at_moment.get(partition)) for partition, log in logs.items()}
