"""The composition root of the ingress."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.ingress.endpoints import conversations_router, fast_routes, redirects_router
from services.ingress.front_door import FrontDoor
from services.ingress.openapi import describe
from services.ingress.posting import Posting
from services.ingress.readiness import health_of
from services.ingress.resources import Resources, open_resources
from services.ingress.settings import IngressSettings
from services.runtime.api_keys import Access
from services.runtime.client_address import TrustedProxies
from services.runtime.client_limits import ClientLimits
from services.runtime.http_app import create_http_app
from services.runtime.inbound import allowed_origins, windows_of
from services.runtime.rate_limits import ClientLimiter, TokenBucket, WindowLimit

OpenResources = Callable[[IngressSettings], AbstractAsyncContextManager[Resources]]


def create_app(settings: IngressSettings, open_resources: OpenResources = open_resources) -> FastAPI:
    """The application; its lifespan opens the resources. Raises ValueError when API_KEYS is malformed."""
    windows = windows_of(settings.redis_url, "ingress")
    opened: Resources | None = None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal opened
        async with aclosing(windows), open_resources(settings) as opened:
            yield

    def resources() -> Resources:
        assert opened is not None  # nothing is served before
        return opened

    proxies = TrustedProxies.parse(settings.trusted_proxies)
    read_api_url = str(settings.read_api_url).rstrip("/")
    door = front_door_of(settings, proxies, windows)
    posting = Posting(door, resources, settings.max_body_bytes, read_api_url)
    app = create_http_app(
        title="Undertone ingress",
        service="ingress",
        description="Takes conversations and gives them to Kafka. 202 means durable.",
        health=health_of(resources, windows),
        settings=settings,
        lifespan=lifespan,
        trusted_proxies=proxies,
        fast_routes=fast_routes(posting),
        origins=allowed_origins(settings.cors_origins),
    )
    app.include_router(conversations_router(posting))
    app.include_router(redirects_router(read_api_url))
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def front_door_of(settings: IngressSettings, proxies: TrustedProxies, windows: ClientLimiter) -> FrontDoor:
    """The front door that the settings describe."""
    rate = settings.requests_per_second
    return FrontDoor(
        access=Access.from_settings(settings),
        proxies=proxies,
        bucket=TokenBucket(rate, settings.allowed_burst) if rate else None,
        clients=ClientLimits(
            windows, WindowLimit.parse(settings.client_limit), WindowLimit.parse(settings.anonymous_limit)
        ),
    )
