"""Guards on connections that stand before any application: what strangers may hold open, and for how long.

uvicorn bounds neither the number of connections, nor the size of headers, nor the time that a request may take to
arrive. This protocol does, with one sweep a second over the open connections instead of a timer for each request.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any
from weakref import ref

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from services.runtime.connection_limits import ConnectionLimits
from services.runtime.http_edge import ANSWER_AT_ONCE
from services.runtime.http_metrics import CONNECTIONS_OPEN, CONNECTIONS_REFUSED
from services.runtime.problems import MEDIA_TYPE, Problem
from services.runtime.random_ids import random_ids

SWEEP_SECONDS = 0.5
_CLOSING, _WORK_A_TURN = 50, 1_000
"""What closing a connection costs, and how much is done at once, in looks at a connection that is in time (1 µs)."""
_REST_SECONDS = 0.004
"""Between a millisecond of such work and the next: what a request takes, which needs some ten turns of the loop."""
_LINGER_SECONDS = 2.0
"""How long a closed connection may take to read the rest of its answer."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection, within limits."""

    def __init__(self, *, limits: ConnectionLimits, **others: Any) -> None:
        super().__init__(**others)
        self._limits = limits
        self._deadline: float | None = None
        self._reading_deadline: float | None = None
        self._received = 0
        self._is_in_headers = False
        self._is_in_body = False
        self._refusal = _MALFORMED
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        CONNECTIONS_OPEN.inc()
        self._deadline = self.loop.time() + self._limits.request_seconds
        if len(self.connections) > self._limits.max_connections:
            self._refuse(_TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        CONNECTIONS_OPEN.dec()
        self._is_over = True
        self._deadline = self._reading_deadline = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._received += len(data)
        super().data_received(data)
        if self._is_in_headers and self._received > self._limits.max_header_bytes and not self._is_over:
            self._refuse(_HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_headers = True
        self._deadline = self.loop.time() + self._limits.request_seconds

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._is_in_body = True
        if self._are_headers_too_large():
            self._refusal = _HEADERS_TOO_LARGE
            raise ValueError("too many headers")  # the parser stops, and send_400_response answers
        if self.parser.get_http_version() != "1.0" and [name for name, _ in self.headers].count(b"host") != 1:
            raise ValueError("not one Host")  # RFC 9112, 3.2: proxies and servers must not differ on whom it is for
        super().on_headers_complete()
        # Weak, since the request holds its scope: with a cycle, each would stay until garbage is looked for, which is
        # rare, and then take a second of everybody's time.
        self.scope["extensions"] = {ANSWER_AT_ONCE: {"send": partial(_answer_at_once, ref(self.cycle))}}

    def _are_headers_too_large(self) -> bool:
        if len(self.headers) > self._limits.max_headers:
            return True
        if self._received <= self._limits.max_header_bytes:  # nearly always: no more has come since the last request
            return False
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > self._limits.max_header_bytes

    def on_body(self, body: bytes) -> None:
        """Keep the first piece as it came: uvicorn would copy it into a buffer, and out of it for the application."""
        cycle: Any = self.cycle  # whose body is a bytearray, says uvicorn, which only ever adds to it
        if not cycle.body:
            cycle.body = b""
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body)  # of many small pieces, which a client can send, adding is to be cheap
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._deadline = None
        self._is_in_body = False
        self._received = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the refusal says more
        """What the parser could not read, in the form of every other error."""
        self._refuse(self._refusal)

    def _unsupported_upgrade_warning(self) -> None:
        """Strangers who ask for WebSockets are answered as HTTP clients; that is no news for a log."""

    def pause_writing(self) -> None:
        """The client does not read its answer as fast as it comes."""
        self._reading_deadline = self.loop.time() + self._limits.answer_seconds
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._reading_deadline = None
        super().resume_writing()

    def sweep(self, now: float) -> bool:
        """Close the connection when its time is over; cut it when it is closed, or not read, and does not end.

        Returns whether there was anything to do.
        """
        if self._reading_deadline is not None and now > self._reading_deadline:
            CONNECTIONS_REFUSED.labels("answer_not_read").inc()
            self.transport.abort()
        elif self._deadline is None or now < self._deadline:
            return False
        elif self.transport.is_closing():
            self.transport.abort()
        else:
            self._refuse(_TOO_SLOW)
        return True

    def _refuse(self, problem: Problem) -> None:
        """Answer, unless an answer has begun or nothing was asked, and close."""
        self._is_over = True
        CONNECTIONS_REFUSED.labels(problem.error).inc()
        if self._may_answer(problem):
            self.transport.write(_raw_answer(problem))
        self.transport.close()
        self._deadline = self.loop.time() + _LINGER_SECONDS

    def _may_answer(self, problem: Problem) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn declares it as always there
        if problem is _TOO_SLOW and not (self._is_in_headers or self._is_in_body):
            return False
        if cycle is None or not cycle.response_started:
            return True
        return cycle.response_complete and not self._is_in_body


async def _answer_at_once(request: ref[RequestResponseCycle], status: int, head: bytes, body: bytes) -> None:
    """Send a whole answer, whose header lines are written already and say how long the body is.

    As uvicorn's `send` does with two messages, without looking at each header again.
    """
    cycle = request()
    assert cycle is not None  # the server holds it for as long as the application runs
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    parts = [STATUS_LINE[status]]
    for name, value in cycle.default_headers:
        parts += (name, b": ", value, b"\r\n")
    parts += (head, b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
    cycle.transport.write(b"".join(parts))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def _raw_answer(problem: Problem) -> bytes:
    correlation = random_ids.hex(32)
    body = problem.body(correlation=correlation)
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        f"x-correlation-id: {correlation}",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "connection: close",
        *(f"{name.lower()}: {value}" for name, value in problem.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


_MALFORMED = Problem(400, "malformed_request", "This is not a well-formed HTTP/1.1 request.")
_HEADERS_TOO_LARGE = Problem(431, "headers_too_large", "The request's headers are too many or too large.")
_TOO_SLOW = Problem(408, "request_timeout", "The request did not arrive in time; send it again.")
_TOO_MANY_CONNECTIONS = Problem(
    503, "too_many_connections", "As many connections as allowed are open; try again soon.", retry_after=1
)


async def sweep_for_ever(connections: Iterable[Any]) -> None:
    """Close what is overdue, every half second. `connections` is the server's live set."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await sweep_each(connections, loop.time())


async def sweep_each(connections: Iterable[Any], now: float) -> None:
    """Sweep all connections; after every millisecond or so of work everyone else has four.

    A thousand clients that came together are overdue together: closing them in one go would take 50 ms, and with one
    turn of the loop between it would take each request ten.
    """
    work = 0
    for connection in tuple(connections):
        work += _CLOSING if connection.sweep(now) else 1
        if work >= _WORK_A_TURN:
            work = 0
            await asyncio.sleep(_REST_SECONDS)
