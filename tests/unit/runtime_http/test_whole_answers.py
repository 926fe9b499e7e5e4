"""Answers of fast routes that leave in one piece say what they would say in two messages."""

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from services.runtime.connection_limits import ConnectionLimits
from services.runtime.http_edge import HttpEdge
from services.runtime.http_protocol import GuardedProtocol
from tests.waiting import eventually

PATH = "/things"
BODY = b'{"status":"accepted"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
POST = b"POST /things HTTP/1.1\r\nHost: try\r\nX-Correlation-Id: c-1\r\nContent-Length: 2\r\n%b\r\n{}"


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("not a fast route")


def an_edge(*messages: Message) -> HttpEdge:
    """An edge whose only route sends these messages."""

    async def route(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(dict(message))

    return HttpEdge(framework, fast_routes={("POST", PATH): route})


def start(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 202, "headers": [*HEADERS, *headers]}


def body(content: bytes = BODY, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        """All has been read."""

    def resume_reading(self) -> None:
        """As above."""


async def in_two_messages(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """What a server without the extension does."""
    await app({name: value for name, value in scope.items() if name != "extensions"}, receive, send)


async def written(app: Any, request: bytes) -> Wire:
    """What the server writes in answer to one request."""
    config = uvicorn.Config(app, http="httptools", ws="none", log_config=None, access_log=False, lifespan="off")
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    protocol = GuardedProtocol(
        config=config, server_state=state, app_state={}, limits=ConnectionLimits(), _loop=asyncio.get_running_loop()
    )
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(request)
    await eventually(lambda: protocol.cycle.response_complete and not state.tasks, what="all is answered")
    protocol.connection_lost(ConnectionResetError())  # with an error, it does not close what the client has closed
    return wire


def parts_of(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, sorted(lines), content


@pytest.mark.parametrize("asked", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("header", [None, (b"cache-control", b"max-age=5"), (b"location", b"/things/1")])
async def test_both_ways_write_the_same(asked: bytes, header: tuple[bytes, bytes] | None) -> None:
    edge = an_edge(start(*([header] if header else [])), body())

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await in_two_messages(edge, scope, receive, send)

    at_once, in_two = await written(edge, POST % asked), await written(plain, POST % asked)
    assert len(at_once.written) == 1
    assert len(in_two.written) == 2
    assert parts_of(b"".join(at_once.written)) == parts_of(b"".join(in_two.written))
    assert at_once.is_closed == in_two.is_closed == bool(asked)


async def test_a_body_in_pieces_is_sent_in_pieces() -> None:
    wire = await written(an_edge(start(), body(BODY[:5], more=True), body(BODY[5:])), POST % b"")
    assert parts_of(b"".join(wire.written))[2] == BODY
    assert len(wire.written) == 3


async def test_pipelined_requests_are_answered_in_order() -> None:
    first, second = POST % b"", (POST % b"").replace(b"c-1", b"c-2")
    wire = await written(an_edge(start(), body()), first + second)
    assert [b"c-1" in wire.written[0], b"c-2" in wire.written[1], len(wire.written)] == [True, True, 2]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
@pytest.mark.parametrize("extra", [(), ((b"cache-control", b"no-cache"),)])
async def test_no_header_can_smuggle_another(value: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> None:
    wire = await written(an_edge(start((b"location", value), *extra), body()), POST % b"")
    status, lines, _ = parts_of(b"".join(wire.written))
    assert status.startswith(b"HTTP/1.1 500 ")
    assert not [line for line in lines if line.startswith((b"location", b"set-cookie", b"b"))]
