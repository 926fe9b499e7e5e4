"""What requests and connections leave behind: nothing that only the garbage collector finds, since it looks rarely."""

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from services.runtime.http_metrics import CONNECTIONS_OPEN
from tests.integration.ingress.serving import request, serving
from tests.waiting import eventually

_REQUESTS = 20
ONE = request()
MANY = request('[{"text":"a"},{"text":""}]').replace(b"/conversations ", b"/conversations/bulk ")
REFUSED = request('{"text":""}')
ELSEWHERE = b"GET /nowhere HTTP/1.1\r\nhost: ingress.test\r\n\r\n"


@contextmanager
def garbage() -> Iterator[list[Any]]:
    """In the end the list holds what was left in the block that no reference leads to."""
    found: list[Any] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    ("asked", "settings", "status"),
    [
        (ONE, {}, 202),
        (MANY, {}, 202),
        (REFUSED, {}, 400),
        (ONE, {"requests_per_second": 0.001, "burst": 1}, 429),
        (ELSEWHERE, {}, 404),
    ],
    ids=["one", "many", "refused", "limited", "elsewhere"],
)
async def test_a_request_leaves_no_garbage(asked: bytes, settings: dict[str, Any], status: int) -> None:
    async with serving(**settings) as served:
        line = await served.connect()
        await line.say(asked)  # what is made once is made now
        await line.answer()
        with garbage() as found:
            for _ in range(_REQUESTS):
                await line.say(asked)
                assert (await line.answer())[0] == status
        line.close()
    left = Counter(type(one).__name__ for one in found)
    assert max(left.values(), default=0) < _REQUESTS, f"some things are left of each request: {left}"


@pytest.mark.parametrize(
    ("said", "is_answered"),
    [(b"", False), (ONE[:-5], False), (ONE[:30], False), (b"nonsense\r\n\r\n", True), (ONE, True)],
    ids=["nothing", "half a body", "half a header", "nonsense", "one"],
)
def test_a_connection_leaves_no_garbage(said: bytes, is_answered: bool) -> None:
    left = Counter(type(one).__name__ for one in uvloop.run(_garbage_of_visits(said, is_answered=is_answered)))
    assert max(left.values(), default=0) < _REQUESTS, f"some things are left of each connection: {left}"


async def _garbage_of_visits(said: bytes, *, is_answered: bool) -> list[Any]:
    """On the loop that services run on; a connection of asyncio's own is garbage itself."""
    others = open_connections()
    async with serving() as served:
        await _visit(served.port, said, is_answered=is_answered)  # what is made once is made now
        await eventually(lambda: open_connections() == others, what="the server has seen it go")
        with garbage() as found:
            for _ in range(_REQUESTS):
                await _visit(served.port, said, is_answered=is_answered)
            await eventually(lambda: open_connections() == others, what="the server has seen all go")
    return found


def open_connections() -> float:
    """Of all servers of this process."""
    (family,) = CONNECTIONS_OPEN.collect()
    return family.samples[0].value


async def _visit(port: int, said: bytes, *, is_answered: bool) -> None:
    """Come, say something and go; asyncio's streams would leave garbage of their own."""
    loop = asyncio.get_running_loop()
    with socket.socket() as visitor:
        visitor.setblocking(False)
        await loop.sock_connect(visitor, ("127.0.0.1", port))
        await loop.sock_sendall(visitor, said)
        if is_answered:
            async with asyncio.timeout(30):
                assert await loop.sock_recv(visitor, 4096)
