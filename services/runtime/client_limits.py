"""Limits of clients: each key's, and each address's without a key. What is said of them in answers and the log.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.api_keys import ANONYMOUS, ApiKey, require_scope
from services.runtime.log_budget import LogBudget
from services.runtime.logs import get_logger
from services.runtime.metrics import LIMITED
from services.runtime.problems import Problem
from services.runtime.rate_limits import ClientLimiter, Verdict, WindowLimit

_log = get_logger(__name__)

_refusals = LogBudget(per_second=5)

RawHeaders = list[tuple[bytes, bytes]]

_FIELDS = "undertone.limit_fields"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What clients may do; None: as much as they like."""

    windows: ClientLimiter
    of_keys: WindowLimit | None = None
    of_addresses: WindowLimit | None = None

    async def count(self, caller: ApiKey, address: str) -> RawHeaders:
        """Count a request; the fields for its answer. Raises a 429 Problem."""
        is_anonymous = caller.name == ANONYMOUS
        limit = self.of_addresses if is_anonymous else self.of_keys
        if limit is None:
            return []
        client = f"address:{_network_of(address)}" if is_anonymous else f"key:{caller.name}"
        return fields_unless_limited("client", await self.windows.take(client, limit), caller, address)


def fields_unless_limited(name: str, verdict: Verdict, caller: ApiKey, address: str) -> RawHeaders:
    """The `RateLimit` fields of a limit. Raises a 429 Problem, which is counted, and logged within a budget."""
    if verdict.is_allowed:
        return [(field.lower().encode(), value.encode()) for field, value in _fields(name, verdict)]
    LIMITED.labels(name).inc()
    if (withheld := _refusals.spend()) is not None:
        _log.info("limit_reached", limit=name, key=caller.name, address=address, withheld=withheld)
    raise Problem(
        429,
        "rate_limit_exceeded",
        f"More than {verdict.limit} requests in {verdict.window_seconds} s; wait and send this again",
        retry_after=verdict.retry_after,
        headers=dict(_fields(name, verdict)),
    )


def _fields(name: str, verdict: Verdict) -> list[tuple[str, str]]:
    wait = verdict.window_seconds if verdict.is_allowed else verdict.retry_after
    return [
        ("RateLimit-Policy", f'"{name}";q={verdict.limit};w={verdict.window_seconds}'),
        ("RateLimit", f'"{name}";r={verdict.remaining};t={wait}'),
    ]


def _network_of(address: str) -> str:
    """An IPv6 client is counted by its /64: one household has 2^64 addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def admit_within_limits(scope: str) -> Callable[[Request], Awaitable[ApiKey]]:
    """As `require_scope`, and the request counts against the client's limit, where the application has one."""
    admitted = require_scope(scope)

    async def caller(request: Request) -> ApiKey:
        key = await admitted(request)
        limits: ClientLimits | None = request.app.state.client_limits
        if limits is not None:
            address = request.app.state.trusted_proxies.client_of(request.scope)
            request.scope[_FIELDS] += await limits.count(key, address)
        return key

    return caller


class LimitFields:
    """ASGI middleware: adds what was counted on the way in to the answer, whichever kind of answer it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields: RawHeaders = []
        scope[_FIELDS] = fields

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start" and fields:
                message = {**message, "headers": [*message["headers"], *fields]}
            await send(message)

        await self._app(scope, receive, send_with_fields)
