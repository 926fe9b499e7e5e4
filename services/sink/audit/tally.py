"""What the audit counts and whom it names. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

MOST_NAMED = 1_000
"""Of each kind of problem; all are counted."""


class Verdict(StrEnum):
    """What became of a record."""

    STORED = "stored"
    SUPERSEDED = "superseded"
    """Its conversation stands at a newer posting, or the same words were posted before."""
    COPIED = "copied"
    """A dead letter that was sent again."""
    BURIED = "buried"
    """A dead letter."""
    ERASED = "erased"
    REMOVED = "removed"
    """By retention, or old enough to have been."""
    RETIRED = "retired"
    """Its analysis version is, or was then."""
    WAITING = "waiting"
    """Somebody has not read it yet."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a record's place in its log: whether those who must deal with it have read it."""

    is_read: bool
    is_old: bool
    is_copy: bool = False


def verdict_of(row: Mapping[str, Any], standing: Standing) -> Verdict:
    """What became of a record that could be decoded, by its row of `sql.POSTINGS` or `sql.OUTCOMES`."""
    if row["is_stored"]:
        if standing.is_copy:
            return Verdict.COPIED
        return Verdict.STORED if row["is_newest"] else Verdict.SUPERSEDED
    return verdict_without_row(row, standing)


def verdict_without_row(row: Mapping[str, Any], standing: Standing) -> Verdict:
    """What became of a record that no row stands for, or that cannot be decoded."""
    if row["is_erased"]:
        return Verdict.ERASED
    if row["is_buried"]:
        return Verdict.BURIED
    if row.get("is_retired"):
        return Verdict.RETIRED
    if not standing.is_read:
        return Verdict.WAITING
    return Verdict.REMOVED if standing.is_old else Verdict.MISSING


@dataclass(slots=True)
class Tally:
    """Counts by hour, and the names of what is not accounted for."""

    records: dict[str, dict[datetime, Counter[str]]] = field(default_factory=dict)
    """By topic and hour of the broker's time: how many records of each verdict."""
    conversations: dict[datetime, Counter[str]] = field(default_factory=dict)
    """By hour of acceptance: how many conversations in each status."""
    problems: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, topic: str, hour: datetime, verdict: Verdict) -> None:
        """Count a record."""
        self.records.setdefault(topic, {}).setdefault(hour, Counter())[verdict.value] += 1

    def name(self, problem: str, what: str) -> None:
        """Name what is missing, doubled or stuck."""
        self.problems[problem] += 1
        names = self.named.setdefault(problem, [])
        if len(names) < MOST_NAMED:
            names.append(what)

    @property
    def is_clean(self) -> bool:
        """Whether all is accounted for."""
        return not self.problems

    def as_members(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "is_clean": self.is_clean,
            "records": {topic: _by_hour(hours) for topic, hours in self.records.items()},
            "conversations": _by_hour(self.conversations),
            "problems": {
                problem: {"count": count, "named": self.named[problem]} for problem, count in self.problems.items()
            },
            "notes": self.notes,
        }

    def lines(self) -> Iterator[str]:
        """Everything, for a person."""
        for topic, hours in self.records.items():
            yield f"{topic}: records by hour (UTC)"
            yield from _table(hours)
        yield "conversations by hour of acceptance (UTC)"
        yield from _table(self.conversations)
        yield from self.notes
        for problem, count in self.problems.items():
            yield f"{problem}: {count:,}"
            yield from (f"  {name}" for name in self.named[problem])
            if count > len(self.named[problem]):
                yield f"  and {count - len(self.named[problem]):,} more"
        if self.is_clean:
            yield "All is accounted for."


def _by_hour(hours: Mapping[datetime, Counter[str]]) -> list[dict[str, Any]]:
    return [{"hour": hour.isoformat(), "total": counts.total(), **counts} for hour, counts in sorted(hours.items())]


def _table(hours: Mapping[datetime, Counter[str]]) -> Iterator[str]:
    """Each hour's total and what it is made of."""
    for hour, counts in sorted(hours.items()):
        parts = " + ".join(f"{count:,} {name}" for name, count in sorted(counts.items()) if count)
        yield f"  {hour:%Y-%m-%d %H}h  {counts.total():>10,} = {parts}"
    if not hours:
        yield "  none"
