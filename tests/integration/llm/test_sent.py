"""When a call counts as sent: once the endpoint could have seen it, whatever else the event loop had to do."""

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from uvloop import new_event_loop

from services.analyzer.engine import EngineUnavailable
from services.analyzer.llm.client import open_chat_client
from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.prompt import write_prompt
from tests.llm_tasks import TASKS

_IS_LOST_SECONDS = 5.0


async def test_a_call_counts_as_sent_when_its_bytes_are_on_their_way() -> None:
    with _endpoint_that_hangs_up() as (address, has_arrived):
        assert await asyncio.to_thread(_on_the_services_loop, _seen_when_sent(address, has_arrived)) == [True]


def _on_the_services_loop(work: Coroutine[Any, Any, list[bool]]) -> list[bool]:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


async def _seen_when_sent(address: str, has_arrived: threading.Event) -> list[bool]:
    seen: list[bool] = []
    async with open_chat_client(LlmOptions(base_url=f"{address}/v1")) as client:
        request = client.prepare(write_prompt(TASKS, 12_000))
        with contextlib.suppress(EngineUnavailable):
            # Waits without giving the event loop a turn: what has not gone out by now will not meanwhile.
            await client.complete(request, lambda: seen.append(has_arrived.wait(_IS_LOST_SECONDS)))
    return seen


async def test_a_collection_does_not_come_between_the_start_of_a_call_and_its_bytes() -> None:
    with _endpoint_that_hangs_up() as (address, _):
        was_collecting: list[bool] = []
        async with open_chat_client(LlmOptions(base_url=f"{address}/v1")) as client:
            with pytest.raises(EngineUnavailable):
                await client.complete(
                    client.prepare(write_prompt(TASKS, 12_000)), lambda: was_collecting.append(gc.isenabled())
                )

    assert was_collecting == [False]
    assert gc.isenabled()


@contextlib.contextmanager
def _endpoint_that_hangs_up() -> Iterator[tuple[str, threading.Event]]:
    """In a thread: it sets the event at the first bytes of a request, and closes the connection."""
    has_arrived = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed below
            with connection:
                if connection.recv(1024).startswith(b"POST"):
                    has_arrived.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", has_arrived
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
