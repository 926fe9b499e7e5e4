"""Insights: pages, one, and its raw completion."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.runtime.client_limits import admit_within_limits
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, not_found, tagged_answer
from services.sink.endpoints.context import Paging, ReadContext, page_of
from services.sink.endpoints.parameters import FilterParameters, InsightParameters
from services.sink.reads.filters import ORDERS, InsightFilters
from services.sink.reads.insights import (
    available_members,
    read_completion,
    read_extent,
    read_insight,
    read_other_versions,
)
from services.sink.reads.members import insight_members, time_text
from services.sink.reads.pages import cursor_after, open_list
from services.sink.reads.totals import Total
from services.sink.versioning.coverage import missing_under
from services.sink.versions import KnownVersions, read_versions

_NOT_FOUND = "There is no insight under this id."


def insights_router(context: ReadContext) -> APIRouter:
    """Routes under /api/v1/insights."""
    router = APIRouter(prefix="/api/v1/insights", tags=["insights"])
    reader = Depends(admit_within_limits("read"))
    operator = Depends(admit_within_limits("operate"))

    @router.get(
        "",
        summary="Insights of a window",
        description="Where filters leave little of much, a page may end its search after some seconds, with fewer than "
        "`limit` insights or none, and go on all the same: follow `next_cursor`.",
        responses=documented.example(documented.INSIGHT_PAGE, 304),
        dependencies=[reader],
    )
    async def list_insights(request: Request, asked: Annotated[InsightParameters, Query()]) -> Response:
        async with context.question() as connection:
            versions = await read_versions(connection)
            key = await context.cursor_key(connection)
            paging = page_of(asked, _question(asked, versions), asked.cursor, context.now(), key)
            filters = filters_of(asked, versions)
            extent = await read_extent(connection, filters.version_id)
            found = await open_list(connection, filters, paging.window, extent)
            total = await found.total()
            rows, goes_on_at = await found.page(
                ORDERS[asked.order], limit=asked.limit + 1, after=paging.after, total=total
            )
            others = await read_other_versions(connection, filters.version_id, extent)
            version = version_of(asked, versions)
            missing = await missing_under(connection, versions, version)
        metadata = {
            **_totals(total, len(rows[: asked.limit])),
            **_window(paging),
            "returned_count": min(len(rows), asked.limit),
            "next_cursor": paging.next_cursor(rows, asked.limit, cursor_after) or paging.cursor_at(goes_on_at),
            "available": available_members(extent),
            "other_versions": others,
            "analysis_version": version,
            "missing_under_version": missing,
        }
        insights = [insight_members(row, version or "") for row in rows[: asked.limit]]
        return tagged_answer(request, {"insights": insights, "metadata": metadata})

    @router.get(
        "/{insight_id}",
        summary="One insight",
        responses=documented.example(documented.INSIGHT, 304, 404),
        dependencies=[reader],
    )
    async def get_insight(request: Request, insight_id: UUID) -> Response:
        async with context.question() as connection:
            members = await read_insight(connection, insight_id, await read_versions(connection))
        if members is None:
            raise not_found(_NOT_FOUND)
        return tagged_answer(request, members)

    @router.get(
        "/{insight_id}/completion",
        summary="What the model returned in the insight's call",
        responses=documented.errors(404),
        dependencies=[operator],
    )
    async def get_completion(insight_id: UUID) -> Response:
        async with context.question() as connection:
            rows = await read_completion(connection, insight_id)
        if not rows:
            raise not_found("No completion is kept of this insight: it came from no model, or was erased.")
        parts = [
            {
                "insight_id": row["insight_id"],
                "conversation_id": row["conversation_id"],
                "completion": row["completion"],
            }
            for row in rows
        ]
        return json_answer({"batch_id": rows[0]["batch_id"], "parts": parts})

    return router


def version_of(asked: FilterParameters, versions: KnownVersions) -> str | None:
    """The version asked for, by default the active one."""
    return asked.analysis_version or versions.active


def filters_of(asked: FilterParameters, versions: KnownVersions) -> InsightFilters:
    """The filters that the parameters name."""
    version = version_of(asked, versions)
    return InsightFilters(
        version_id=versions.ids.get(version) if version else None,
        sentiment=asked.sentiment,
        topic=asked.topic,
        channel=asked.channel,
        min_confidence=asked.min_confidence,
        words=tuple((asked.q or "").split()),
    )


def _question(asked: InsightParameters, versions: KnownVersions) -> dict[str, Any]:
    filters = asked.model_dump(exclude={"limit", "cursor", "start_time", "end_time"})
    return {"list": "insights", **filters, "analysis_version": version_of(asked, versions)}


def _totals(total: Total, shown: int) -> dict[str, Any]:
    """A count that was given up may have seen less than the page that it is told with."""
    return {"total_count": total.count if total.is_exact else max(total.count, shown), "count_is_exact": total.is_exact}


def _window(paging: Paging) -> dict[str, Any]:
    window = {"start_time": time_text(paging.window.start), "end_time": time_text(paging.window.end)}
    return {**window, "time_window": window}
