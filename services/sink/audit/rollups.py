"""Rollups against a recount of the rows that they stand for: they must always agree.

All are compared as of one moment, while the sinks go on writing. That moment is held until the end, so
Postgres keeps what is updated meanwhile: with tens of millions of rows run it when there is room for that.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.sink.reads.members import Row, time_text
from services.sink.sql import versions as versions_sql
from services.sink.sql.audits import ROLLUPS

MOST_DIFFERENCES = 100
"""Of one rollup that are looked up; the queries stop there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a rollup that a recount does not confirm; channel and subject are none where it stands for all."""

    analysis_version: str | None
    channel: str | None
    subject: str | None
    bucket: str
    counted: Mapping[str, int]
    kept: Mapping[str, int]

    def __str__(self) -> str:
        place = {"version": self.analysis_version, "channel": self.channel, "subject": self.subject}
        named = "".join(f", {name} {value}" for name, value in place.items() if value is not None)
        figures = (
            f"{name} {self.kept.get(name, 0)} instead of {count}"
            for name, count in self.counted.items()
            if count != self.kept.get(name, 0)
        )
        return f"{self.bucket}{named}: {', '.join(figures)}"


@dataclass(frozen=True, slots=True)
class RollupAudit:
    """What a recount of one rollup found; of many differences the first MOST_DIFFERENCES."""

    rollup: str
    rows: int
    differences: tuple[Difference, ...]

    def lines(self) -> Iterator[str]:
        """The finding, then one line for each difference."""
        most = "at least " if len(self.differences) >= MOST_DIFFERENCES else ""
        said = f"{most}{len(self.differences):,} differ" if self.differences else "all agree"
        yield f"{self.rollup:<22} {self.rows:>10,} rows compared, {said}"
        for difference in self.differences:
            yield f"  {difference}"


async def audit_rollups(connection: Any) -> AsyncIterator[RollupAudit]:
    """Compare one rollup after the other, all as of the same moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        names = {row["version_id"]: row["name"] for row in await connection.fetch(versions_sql.ALL)}
        for table, figures, kept_rows, differing_rows in ROLLUPS:
            kept = await connection.fetchval(kept_rows)
            found = await connection.fetch(differing_rows)
            missing = sum(row["kept"] is None for row in found)
            yield RollupAudit(table, kept + missing, tuple(_difference(row, figures, names) for row in found))


def _difference(row: Row, figures: tuple[str, ...], names: Mapping[int, str]) -> Difference:
    counted, kept = (json.loads(row[side]) if row[side] else {} for side in ("counted", "kept"))
    version_id = row["version_id"]
    return Difference(
        analysis_version=None if version_id is None else names.get(version_id, f"number {version_id}"),
        channel=row["channel"] or None,
        subject=row["subject"] or None,
        bucket=str(time_text(row["bucket"])),
        counted={name: counted.get(name, 0) for name in figures},
        kept={name: kept.get(name, 0) for name in figures},
    )
