"""The FastAPI application that every service starts from."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from services.runtime.api_keys import Access
from services.runtime.client_address import TrustedProxies
from services.runtime.client_limits import ClientLimits, LimitFields
from services.runtime.docs_page import docs_router
from services.runtime.health import Health, health_router
from services.runtime.http_edge import FastRoutes, HttpEdge
from services.runtime.inbound import cross_origin
from services.runtime.problem_schema import describe_problems
from services.runtime.problems import install_problem_handlers
from services.runtime.settings import SharedSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_http_app(
    *,
    title: str,
    service: str,
    health: Health,
    settings: SharedSettings,
    lifespan: Lifespan | None = None,
    description: str = "",
    version: str = "1",
    trusted_proxies: TrustedProxies | None = None,
    fast_routes: FastRoutes | None = None,
    client_limits: ClientLimits | None = None,
    origins: tuple[str, ...] = (),
) -> FastAPI:
    """An application with problem documents, correlation ids, security headers, metrics, health and offline docs.

    `client_limits` hold for routes with `admit_within_limits`; scripts of web pages at `origins` may call (CORS).
    `app.state` holds `service`, `health`, `access`, `trusted_proxies` and `client_limits`. Raises ValueError when
    API_KEYS is malformed.
    """
    app = _EdgeFirst(
        title=title, description=description, version=version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service = service
    app.state.health = health
    app.state.access = Access.from_settings(settings)
    app.state.trusted_proxies = trusted_proxies or TrustedProxies()
    app.state.client_limits = client_limits
    if client_limits is not None:
        app.add_middleware(LimitFields)
    app.include_router(health_router(health))
    app.include_router(docs_router())
    install_problem_handlers(app)
    shared = cross_origin(origins)
    fast = {place: shared(route) for place, route in (fast_routes or {}).items()}
    app.edge = HttpEdge(shared(app.framework), fast_routes=fast)
    return app


class _EdgeFirst(FastAPI):
    """FastAPI behind the edge: as a middleware the edge would stand behind layers that cost as much as a request."""

    edge: HttpEdge

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What FastAPI does with a request."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            describe_problems(super().openapi())
        return super().openapi()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything through the edge."""
        await self.edge(scope, receive, send)
