"""The simulator in a thread with a loop of its own, beside a command that runs another loop."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from undertone.simulator.conduct import Conduct
from undertone.simulator.server import running_simulator


@contextmanager
def simulator_beside(conduct: Conduct | None = None) -> Iterator[str]:
    """A simulator until the block ends; gives what ANALYZER_LLM_BASE_URL has to be."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with running_simulator(conduct) as running:
            started.set_result((running.base_url, asyncio.get_running_loop(), over))
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)  # the caller raises it

    thread = threading.Thread(target=run, name="simulator", daemon=True)
    thread.start()
    base_url, loop, over = started.result()
    try:
        yield base_url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
