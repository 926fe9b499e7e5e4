"""The edge of every HTTP application: correlation ids, security headers, request metrics and the last resort.

Pure ASGI and one layer only, since it is on the path of every request. `fast_routes` are answered before the
framework sees the request, and in one piece where the server can: for the few routes whose cost matters.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.http_metrics import observe_request
from services.runtime.logs import correlation_id, get_logger
from services.runtime.problems import MEDIA_TYPE, Problem, internal_error, stopping
from services.runtime.random_ids import random_ids

_log = get_logger(__name__)

_SANE_CORRELATION_ID = re.compile(rb"^[A-Za-z0-9._:-]{1,128}$")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
_HIDES = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

ANSWER_AT_ONCE = "undertone.answer_at_once"
"""An ASGI extension of `http_protocol`: its `send` takes a status, the lines of headers and a body together."""

_CLIENT_GONE = 499
"""What is counted when the client went away before an answer, as nginx does."""

FastRoutes = Mapping[tuple[str, str], ASGIApp]


class HttpEdge:
    """ASGI middleware: everything that all requests share."""

    def __init__(self, app: ASGIApp, *, fast_routes: FastRoutes | None = None) -> None:
        self._app = app
        self._fast_routes = fast_routes or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = _correlation_of(scope)
        token = correlation_id.set(correlation)
        fast = self._fast_routes.get((scope["method"], scope["path"]))
        exchange = (_QuickExchange if fast else _Exchange)(scope, send, correlation)
        try:
            await (fast or self._app)(scope, receive, exchange.send)
        except Exception:  # noqa: BLE001 - the last resort: a bug is logged here and answered without internals
            _log.exception("request_failed", method=scope["method"], route=_route_of(scope))
            await exchange.fail()
        except asyncio.CancelledError:  # the server stops, and has waited for this request as long as it may
            if exchange.has_begun:
                raise
            await exchange.answer(stopping())
        finally:
            seconds = perf_counter() - exchange.began
            observe_request(scope["method"], scope["path"] if fast else _route_of(scope), exchange.status, seconds)
            correlation_id.reset(token)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_correlation", "_is_complete", "_scope", "_send", "began", "status")

    def __init__(self, scope: Scope, send: Callable[[Message], Awaitable[None]], correlation: str) -> None:
        self._scope = scope
        self._send = send
        self._correlation = correlation
        self._is_complete = False
        self.began = perf_counter()
        self.status = _CLIENT_GONE

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _completed(message["headers"], self._correlation)
        elif not message.get("more_body", False):
            self._is_complete = True
        await self._send(message)

    async def fail(self) -> None:
        """Answer 500. An answer that has begun can only be cut off with its connection: that is the server's part."""
        if self._is_complete:  # the framework has answered 500 already
            return
        if self.has_begun:
            raise RuntimeError("a response broke off")
        await self.answer(internal_error())

    @property
    def has_begun(self) -> bool:
        """Whether some of the answer was sent."""
        return self.status != _CLIENT_GONE

    async def answer(self, problem: Problem) -> None:
        """Send a problem."""
        body = problem.body(instance=self._scope["path"], correlation=self._correlation)
        written = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in written.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


Header = tuple[bytes, bytes]


class _QuickExchange(_Exchange):
    """One whose answer leaves in one piece, where the server can do that."""

    __slots__ = ("_answer_at_once", "_start")

    def __init__(self, scope: Scope, send: Callable[[Message], Awaitable[None]], correlation: str) -> None:
        super().__init__(scope, send, correlation)
        self._answer_at_once = scope.get("extensions", _NONE).get(ANSWER_AT_ONCE, _NONE).get("send")
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if self._answer_at_once is not None and message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await super().send(message)
        elif message.get("more_body", False):
            await super().send(start)
            await super().send(message)
        else:
            head = _head(start["headers"], self._correlation)
            self.status = start["status"]
            self._is_complete = True
            await self._answer_at_once(self.status, head, message["body"])


_NONE: dict[str, Any] = {}


def _head(headers: list[Header], correlation: str) -> bytes:
    """The lines of all headers of an answer. Raises ValueError when one holds a line end, and so would be two."""
    parts: list[bytes] = []
    for name, value in headers:
        if name in _GIVEN_BY_SOME:
            return _lines(_completed(headers, correlation))
        parts += (name, b": ", value, b"\r\n")
    parts += (b"x-correlation-id: ", correlation.encode(), _OF_MOST)
    return _without_more_lines(b"".join(parts), len(headers) + _COUNT_OF_MOST)


def _lines(headers: list[Header]) -> bytes:
    return _without_more_lines(b"".join([b"%b: %b\r\n" % header for header in headers]), len(headers))


def _without_more_lines(head: bytes, count: int) -> bytes:
    if head.count(b"\n") != count or head.count(b"\r") != count:
        raise ValueError("a header holds a line end")
    return head


_GIVEN_BY_SOME = frozenset({_NO_STORE[0], _HIDES[0]})
_OF_MOST = b"\r\n" + b"".join([b"%b: %b\r\n" % header for header in (_NO_SNIFF, _NO_STORE, _HIDES)])
_COUNT_OF_MOST = 4


def _completed(headers: list[tuple[bytes, bytes]], correlation: str) -> list[tuple[bytes, bytes]]:
    completed = [*headers, _NO_SNIFF, (b"x-correlation-id", correlation.encode())]
    has_cache_control = has_policy = False
    for name, _ in headers:
        if name == b"cache-control":
            has_cache_control = True
        elif name == b"content-security-policy":
            has_policy = True
    if not has_cache_control:
        completed.append(_NO_STORE)
    if not has_policy:
        completed.append(_HIDES)
    return completed


def _correlation_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-correlation-id" and _SANE_CORRELATION_ID.match(value):
            return str(value, "ascii")
    return random_ids.hex(32)


def _route_of(scope: Scope) -> str:
    """The route's template: a path with its ids would make a series for each."""
    return getattr(scope.get("route"), "path", "unmatched")
