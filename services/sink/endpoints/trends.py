"""Trends and the status of the whole."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.runtime.client_limits import admit_within_limits
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, tagged_answer
from services.sink.endpoints.context import ReadContext
from services.sink.endpoints.parameters import BucketName, TrendParameters, refused
from services.sink.reads.insights import available_members, read_extent, read_other_versions
from services.sink.reads.members import time_text
from services.sink.reads.status import read_status
from services.sink.reads.trends import TrendQuestion, read_trends
from services.sink.versioning.coverage import missing_under
from services.sink.versions import KnownVersions, read_versions
from services.sink.windows import MAX_BUCKETS, TooManyBuckets

_HOURS_UP_TO = timedelta(days=2)


def trends_router(context: ReadContext) -> APIRouter:
    """/api/v1/trends and /api/v1/status."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(admit_within_limits("read"))])

    @router.get(
        "/trends", tags=["trends"], summary="Trends of a window", responses=documented.example(documented.TRENDS, 304)
    )
    async def get_trends(request: Request, asked: Annotated[TrendParameters, Query()]) -> Response:
        async with context.question() as connection:
            versions = await read_versions(connection)
            question = _question(asked, versions, context.now())
            try:
                members = await read_trends(connection, question)
            except TooManyBuckets as error:
                raise refused("bucket", f"gives more than {MAX_BUCKETS} buckets; ask for days or less time") from error
            extent = await read_extent(connection, question.version_id)
            others = await read_other_versions(connection, question.version_id, extent)
            version = asked.analysis_version or versions.active
            missing = await missing_under(connection, versions, version)
        window = question.window
        return tagged_answer(
            request,
            {
                "window_days": round(window.length / timedelta(days=1), 6),
                "start_time": time_text(window.start),
                "end_time": time_text(window.end),
                "bucket": "day" if question.by_day else "hour",
                "tz": asked.tz,
                "analysis_version": version,
                "missing_under_version": missing,
                **members,
                "available": available_members(extent),
                "other_versions": others,
            },
        )

    @router.get(
        "/status", tags=["status"], summary="How it all stands", responses=documented.example(documented.STATUS)
    )
    async def get_status() -> Response:
        async with context.question() as connection:
            members = await read_status(connection, await read_versions(connection), context.now())
        return json_answer({**members, "lag": await context.lag.by_topic()})

    return router


def _question(asked: TrendParameters, versions: KnownVersions, now: datetime) -> TrendQuestion:
    window = asked.trend_window(now)
    version = asked.analysis_version or versions.active
    by_day = asked.bucket is BucketName.DAY or (asked.bucket is None and window.length > _HOURS_UP_TO)
    version_id = versions.ids.get(version) if version else None
    return TrendQuestion(version_id, window, by_day, ZoneInfo(asked.tz), asked.topic, asked.channel)
