"""What the analyzer's HTTP client says of connections that are reset as soon as they are made."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
from uvloop import new_event_loop

from services.analyzer.http_client import HttpClient

TRIES = 300
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing resets the connection."""


@pytest.fixture
def resetting_port() -> Iterator[int]:
    """Of a server that accepts each connection and resets it at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        accepting = threading.Thread(target=_reset_all, args=(server,))
        accepting.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _reset_all(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_an_http_error(resetting_port: int) -> None:
    def on_the_services_loop() -> list[object]:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_answers_of(f"http://127.0.0.1:{resetting_port}/"))

    answers = await asyncio.to_thread(on_the_services_loop)
    assert len(answers) == TRIES
    assert [answer for answer in answers if not isinstance(answer, httpx.TransportError)] == []


async def _answers_of(url: str) -> list[object]:
    answers: list[object] = []
    async with HttpClient(trust_env=False) as client:
        for _ in range(TRIES // 20):
            answers += await asyncio.gather(*(client.post(url, json={}) for _ in range(20)), return_exceptions=True)
    return answers
