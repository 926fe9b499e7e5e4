"""Endpoints that are no servers: they treat each connection badly, from a thread of their own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from uvloop import new_event_loop

T = TypeVar("T")


@contextmanager
def endpoint_that(treat: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept each connection, do this to it, and close it; the port."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # shut down below
            with connection:
                treat(connection)

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def on_the_services_loop(work: Coroutine[Any, Any, T]) -> T:
    """What this gives on a loop of the sort that services run on, which is not that of the tests."""

    def run() -> T:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(work)

    return await asyncio.to_thread(run)
