"""Several processes on one port: the kernel spreads connections over them, and each has its share of the limits.

A worker that ends unasked takes the others with it: the service's supervisor restarts the whole, as it does when a
single process ends.
"""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from contextlib import suppress

from services.ingress.metrics_folder import metrics_folder
from services.runtime.logs import get_logger
from services.runtime.server import UNEXPECTED_EXIT_CODE

_log = get_logger(__name__)

_ORPHAN_CHECK_SECONDS = 0.5


async def run_workers(count: int, environment_with: Callable[[str], Mapping[str, str]], stop: asyncio.Event) -> int:
    """Serve with so many processes until `stop` is set; returns the exit code.

    `environment_with` gives a worker's environment for the folder in which all of them count.
    """
    with metrics_folder() as folder:
        environment = environment_with(folder)
        workers = [await _start(environment) for _ in range(count)]
        _log.info("workers_started", pids=[worker.pid for worker in workers])
        ended = [asyncio.create_task(worker.wait()) for worker in workers]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([stopped, *ended], return_when=asyncio.FIRST_COMPLETED)
        codes = [task.result() for task in ended if task.done()]
        stopped.cancel()
        for worker in workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        await asyncio.gather(*ended)
    if not codes:
        return 0
    _log.error("worker_ended", exit_codes=codes)
    return next((code for code in codes if code > 0), UNEXPECTED_EXIT_CODE)


async def _start(environment: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingress", env=environment)


async def until_orphaned(stop: asyncio.Event) -> None:
    """In a worker: set `stop` when the process that started it is gone, which a kill gives no other sign of."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel announces a parent's end to nobody
        await asyncio.sleep(_ORPHAN_CHECK_SECONDS)
    stop.set()
