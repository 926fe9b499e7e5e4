"""What the analyzer's HTTP client says of connections that are reset as soon as they are made."""

import asyncio
import socket
import struct

import httpx

from services.analyzer.http_client import HttpClient
from tests.endpoints import endpoint_that, on_the_services_loop

TRIES = 300
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing resets the connection."""


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_an_http_error() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with endpoint_that(reset) as port:
        answers = await on_the_services_loop(_answers_of(f"http://127.0.0.1:{port}/"))

    assert len(answers) == TRIES
    assert [answer for answer in answers if not isinstance(answer, httpx.TransportError)] == []


async def _answers_of(url: str) -> list[object]:
    answers: list[object] = []
    async with HttpClient(trust_env=False) as client:
        for _ in range(TRIES // 20):
            answers += await asyncio.gather(*(client.post(url, json={}) for _ in range(20)), return_exceptions=True)
    return answers
