"""Insights as a file, streamed: its size is no concern of the memory here."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from services.runtime.client_limits import admit_within_limits
from services.runtime.problems import Problem
from services.sink.endpoints import documented
from services.sink.endpoints.context import ReadContext
from services.sink.endpoints.insights import filters_of, version_of
from services.sink.endpoints.parameters import FilterParameters
from services.sink.exports import csv_header, csv_line, ndjson_line
from services.sink.reads.insights import read_extent
from services.sink.reads.members import insight_members
from services.sink.reads.pages import open_list
from services.sink.versions import KnownVersions, read_versions
from services.sink.windows import Window

_AT_ONCE = 2
"""Exports that may hold a connection at the same time; the others serve short questions."""
_CHUNK_BYTES = 64 * 1024


class ExportFormat(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"


class ExportParameters(FilterParameters):
    """All insights that match, newest first."""

    format: ExportFormat = Field(default=ExportFormat.NDJSON, description="`ndjson` or `csv`.")


_MEDIA_TYPES = {ExportFormat.NDJSON: "application/x-ndjson", ExportFormat.CSV: "text/csv; charset=utf-8"}


def export_router(context: ReadContext) -> APIRouter:
    """/api/v1/insights/export."""
    router = APIRouter(prefix="/api/v1/insights", tags=["insights"])
    places = asyncio.Semaphore(_AT_ONCE)

    @router.get(
        "/export",
        summary="All insights of a window as a file",
        responses=_documented(),
        response_class=StreamingResponse,
        dependencies=[Depends(admit_within_limits("read"))],
    )
    async def export_insights(asked: Annotated[ExportParameters, Query()]) -> StreamingResponse:
        if places.locked():
            raise Problem(503, "too_many_exports", f"{_AT_ONCE} exports are under way; try again.", retry_after=10)
        window = asked.window(context.now())
        async with context.database.snapshot() as connection:
            versions = await read_versions(connection)
        chunks = _chunks(context, places, asked, versions, window)
        name = f"insights.{asked.format.value}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks, media_type=_MEDIA_TYPES[asked.format], headers=headers)

    return router


async def _chunks(
    context: ReadContext,
    places: asyncio.Semaphore,
    asked: ExportParameters,
    versions: KnownVersions,
    window: Window,
) -> AsyncIterator[bytes]:
    """The file in pieces. A reader that stalls for 30 s is cut off by Postgres' idle_in_transaction timeout."""
    is_csv = asked.format is ExportFormat.CSV
    line_of = csv_line if is_csv else ndjson_line
    version = version_of(asked, versions) or ""
    chunk = bytearray(csv_header() if is_csv else b"")
    async with places, context.database.snapshot() as connection:
        filters = filters_of(asked, versions)
        found = await open_list(connection, filters, window, await read_extent(connection, filters.version_id))
        async for row in found.stream():
            chunk += line_of(insight_members(row, version))
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
    yield bytes(chunk)


def _documented() -> dict[int | str, dict[str, object]]:
    content = {"application/x-ndjson": {"example": documented.INSIGHT}, "text/csv": {}}
    return {200: {"description": "The file.", "content": content}, **documented.errors()}
