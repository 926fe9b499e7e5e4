"""Known results by content and version, and how far outcomes are stored."""

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from services.sink.reads.members import Row
from services.sink.sql import offsets as offsets_sql
from services.sink.sql import reads as sql
from services.sink.versions import KnownVersions


async def read_known_results(
    connection: Any, pairs: Sequence[tuple[str, str]], versions: KnownVersions
) -> list[dict[str, JsonValue]]:
    """A result of each pair that is known; of erased conversations none."""
    known = [(bytes.fromhex(content), versions.ids[version]) for content, version in pairs if version in versions.ids]
    if not known:
        return []
    rows = await connection.fetch(
        sql.KNOWN_RESULTS, [content for content, _ in known], [version_id for _, version_id in known]
    )
    return [_result(row, versions) for row in rows]


def _result(row: Row, versions: KnownVersions) -> dict[str, JsonValue]:
    return {
        "content_hash": row["content_hash"].hex(),
        "analysis_version": versions.name_of(row["version_id"]),
        "insight_id": str(row["insight_id"]),
        "conversation_id": row["conversation_id"],
        "sentiment_score": row["sentiment_score"],
        "sentiment": row["sentiment"],
        "clusters": list(row["clusters"]),
        "topics": list(row["topics"]),
        "confidence": row["confidence"],
        "reasoning": row["reasoning"],
        "evidence": row["evidence"],
        "summary": row["summary"],
        "model": row["model"],
    }


async def read_stored_offsets(connection: Any, group: str, topic: str) -> dict[str, JsonValue]:
    """The next offset to be stored of each partition of a topic."""
    rows = await connection.fetch(offsets_sql.STORED_OFFSETS, group)
    return {str(row["partition"]): row["next_offset"] for row in rows if row["topic"] == topic}
