"""An ingress in the test's own process: the real application on a fake Kafka."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from schemas.codec import decode
from schemas.conversation_received import ConversationReceived
from schemas.topics import RECEIVED
from services.ingress.app import create_app
from services.ingress.intake import utc_now
from services.ingress.resources import Resources, intake_of
from services.ingress.settings import IngressSettings
from tests.fakes import FakePublisher

ONE = "/api/v1/conversations"
MANY = "/api/v1/conversations/bulk"


@asynccontextmanager
async def an_ingress(
    publisher: FakePublisher, *, clock: Callable[[], datetime] = utc_now, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with these settings; no limit and a short wait for Kafka unless given."""
    chosen = IngressSettings(**{"requests_per_second": 0, "ack_timeout_seconds": 0.05, **settings})

    async def reachable() -> bool:
        return not publisher.is_away

    @asynccontextmanager
    async def open_resources(given: IngressSettings) -> AsyncIterator[Resources]:
        intake = replace(intake_of(given, publisher), clock=clock)
        yield Resources(intake, publisher, "kafka.test:9092", reachable)

    app = create_app(chosen, open_resources)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("198.51.100.7", 4711))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ingress.test") as client,
    ):
        yield client


def conversations_in(publisher: FakePublisher) -> list[ConversationReceived]:
    """What Kafka holds, as a consumer reads it."""
    events = [decode(record, RECEIVED).event for record in publisher.records]
    assert all(isinstance(event, ConversationReceived) for event in events)
    return [event for event in events if isinstance(event, ConversationReceived)]
