"""Clusters that count as `other` because the registry does not know them: candidates for a subject or an alias."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.subjects import OTHER, subject_registry
from services.sink.sql import clusters as sql


@dataclass(frozen=True, slots=True)
class UnknownCluster:
    """A cluster with the number of insights shown that name it, and one or two conversations to look at."""

    cluster: str
    insights: int
    examples: tuple[str, ...]


async def unknown_clusters(connection: Any, since: datetime, limit: int) -> list[UnknownCluster]:
    """The most frequent first, of what occurred since then, under any analysis version."""
    known = sorted(subject_registry().by_name)
    rows = await connection.fetch(sql.UNKNOWN, since, OTHER, known, limit)
    return [
        UnknownCluster(row["cluster"], row["insights"], tuple(dict.fromkeys((row["first_id"], row["last_id"]))))
        for row in rows
    ]
