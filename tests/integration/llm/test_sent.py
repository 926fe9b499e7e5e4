"""When a call counts as sent: once the endpoint could have seen it, whatever else the event loop had to do."""

import gc
import socket
import threading
from collections.abc import Callable

import pytest

from services.analyzer.engine import EngineUnavailable
from services.analyzer.llm.client import open_chat_client
from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.prompt import write_prompt
from tests.endpoints import endpoint_that, on_the_services_loop
from tests.llm_tasks import TASKS

_IS_LOST_SECONDS = 5.0


async def test_a_call_counts_as_sent_when_its_bytes_are_on_their_way() -> None:
    has_arrived = threading.Event()
    seen: list[bool] = []

    def note(connection: socket.socket) -> None:
        if connection.recv(1024).startswith(b"POST"):
            has_arrived.set()

    with endpoint_that(note) as port:
        # Waits without giving the event loop a turn: what has not gone out by now will not meanwhile.
        await on_the_services_loop(_call(port, lambda: seen.append(has_arrived.wait(_IS_LOST_SECONDS))))

    assert seen == [True]


async def test_a_collection_does_not_come_between_the_start_of_a_call_and_its_bytes() -> None:
    was_collecting: list[bool] = []

    with endpoint_that(lambda connection: connection.recv(1024)) as port:
        await _call(port, lambda: was_collecting.append(gc.isenabled()))

    assert was_collecting == [False]
    assert gc.isenabled()


async def _call(port: int, on_sent: Callable[[], None]) -> None:
    """A call to an endpoint that does not answer."""
    async with open_chat_client(LlmOptions(base_url=f"http://127.0.0.1:{port}/v1")) as client:
        request = client.prepare(write_prompt(TASKS, 12_000))
        with pytest.raises(EngineUnavailable):
            await client.complete(request, on_sent)
