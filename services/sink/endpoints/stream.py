"""Insights as they are stored: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Each insight is told once, when it is stored first; after a break, Last-Event-ID goes on where the client was and
misses none. Heartbeats carry an id too, so that a client whose filters let little through does not start far back.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from services.runtime.client_limits import admit_within_limits
from services.runtime.problems import Problem
from services.sink.endpoints import documented
from services.sink.endpoints.parameters import Channel, SentimentName, Topic, Version, refused
from services.sink.feed import InsightFeed, Subscription, Told
from services.sink.positions import MAX_TEXT, InvalidPosition, Positions, position_text, read_position

HEARTBEAT_SECONDS = 15.0
_MOST_READERS = 1_000
_RETRY_MS = 2_000
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class StreamParameters(BaseModel):
    """Which insights are told."""

    model_config = ConfigDict(extra="forbid")

    min_confidence: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    sentiment: SentimentName | None = None
    topic: Topic | None = Field(default=None, description="A subject, such as `delivery`.")
    channel: Channel | None = None
    analysis_version: Version | None = Field(default=None, description="Default: the active one.")
    last_event_id: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        default=None, description="For clients that cannot send the header Last-Event-ID, which counts when both come."
    )


@dataclass(frozen=True, slots=True)
class StreamOfReader:
    """One reader's stream."""

    feed: InsightFeed
    asked: StreamParameters
    heartbeat_seconds: float

    async def chunks(self, position: Positions) -> AsyncIterator[bytes]:
        """First what the reader missed, then what comes. Ends with the process, with Postgres, or with its patience."""
        yield f"retry: {_RETRY_MS}\n".encode() + _heartbeat(position)
        try:
            async for chunk, reached in self._missed(position):
                position = reached
                yield chunk
            async with self.feed.subscribed() as subscription:
                async for chunk, _ in self._missed(position, subscription.position):
                    yield chunk
                async for chunk in self._coming(subscription):
                    yield chunk
        except Problem:  # Postgres is away: the client comes back with its last id
            return

    async def _missed(
        self, position: Positions, until: Positions | None = None
    ) -> AsyncIterator[tuple[bytes, Positions]]:
        is_whole = False
        while not is_whole:
            page = await self.feed.page_after(position, until)
            position, is_whole = page.position, page.is_whole
            yield self._written(page.events) + _heartbeat(position), position

    async def _coming(self, subscription: Subscription) -> AsyncIterator[bytes]:
        while True:
            events = await subscription.events(self.heartbeat_seconds)
            if subscription.is_over:  # what was forgotten lies after the last id that was sent
                return
            yield self._written(events) or _heartbeat(subscription.position)

    def _written(self, events: list[Told]) -> bytes:
        return b"".join(event.text for event in events if self._is_asked_for(event))

    def _is_asked_for(self, event: Told) -> bool:
        asked, row = self.asked, event.row
        return (
            (event.is_active if asked.analysis_version is None else event.version == asked.analysis_version)
            and asked.sentiment in {None, row["sentiment"]}
            and asked.channel in {None, row["channel"]}
            and (asked.topic is None or asked.topic in row["topics"])
            and (asked.min_confidence is None or row["confidence"] >= asked.min_confidence)
        )


def _heartbeat(position: Positions) -> bytes:
    """A comment, and an id without data: no event, but a client's last id moves on."""
    return f": waiting\nid: {position_text(position)}\n\n".encode()


def stream_router(feed: InsightFeed, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> APIRouter:
    """/api/v1/insights/stream."""
    router = APIRouter(prefix="/api/v1/insights", tags=["insights"])

    @router.get(
        "/stream",
        summary="Insights as they are stored",
        responses=_documented(),
        response_class=StreamingResponse,
        dependencies=[Depends(admit_within_limits("read"))],
    )
    async def stream_insights(
        asked: Annotated[StreamParameters, Query()],
        last_event_id: Annotated[str | None, Header(max_length=MAX_TEXT)] = None,
    ) -> StreamingResponse:
        if feed.readers >= _MOST_READERS:
            raise Problem(503, "too_many_readers", f"{_MOST_READERS} readers listen already.", retry_after=10)
        position = _position_of(last_event_id or asked.last_event_id)
        if position is None:
            position = await feed.stored()
        chunks = StreamOfReader(feed, asked, heartbeat_seconds).chunks(position)
        return StreamingResponse(chunks, media_type="text/event-stream", headers=_HEADERS)

    return router


def _position_of(text: str | None) -> Positions | None:
    if not text:
        return None
    try:
        return read_position(text)
    except InvalidPosition as error:
        raise refused("last_event_id", str(error)) from error


def _documented() -> dict[int | str, dict[str, object]]:
    example = 'id: 0:118,1:97\nevent: insight\ndata: {"insight_id": "…", "sentiment": "negative", …}\n\n'
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": "Events, until the client leaves.", "content": content}, **documented.errors()}
