"""Insights: where they are, one by its id, its raw completion."""

from typing import Any
from uuid import UUID

from pydantic import JsonValue

from services.sink.reads.members import Row, full_insight_members, time_text
from services.sink.sql import reads as sql
from services.sink.versions import KnownVersions
from services.sink.windows import Window


async def read_extent(connection: Any, version_id: int | None) -> Window | None:
    """From the first to the last insight under this version; None when there is none."""
    row = None if version_id is None else await connection.fetchrow(sql.AVAILABLE, version_id)
    return None if row is None or row["earliest"] is None else Window(row["earliest"], row["latest"])


def available_members(extent: Window | None) -> dict[str, JsonValue]:
    """Where the data is, so that an empty window can say so."""
    if extent is None:
        return {"earliest": None, "latest": None}
    return {"earliest": time_text(extent.start), "latest": time_text(extent.end)}


async def read_other_versions(connection: Any, version_id: int | None, extent: Window | None) -> dict[str, JsonValue]:
    """How many insights there are under other versions, when there is none under this one: else nothing."""
    if extent is not None:
        return {}
    return {row["name"]: row["total"] for row in await connection.fetch(sql.OTHER_VERSIONS, version_id)}


async def read_insight(connection: Any, insight_id: UUID, versions: KnownVersions) -> dict[str, JsonValue] | None:
    """One insight with how it came about, current or not."""
    row = await connection.fetchrow(sql.INSIGHT, insight_id)
    if row is None:
        return None
    members = full_insight_members(row, versions.name_of(row["version_id"]))
    return {**members, "is_current": row["is_current"]}


async def read_completion(connection: Any, insight_id: UUID) -> list[Row]:
    """The raw completion of the insight's call, by conversation."""
    rows: list[Row] = await connection.fetch(sql.COMPLETION, insight_id)
    return rows
