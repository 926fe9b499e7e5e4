"""Several processes on one port: the kernel spreads connections over them, and each has its share of the limits.

A worker that ends unasked takes the others with it: the service's supervisor restarts the whole, as it does when a
single process ends.
"""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import suppress

from services.ingress.settings import IngressSettings
from services.runtime.logs import get_logger
from services.runtime.rate_limits import WindowLimit
from services.runtime.server import UNEXPECTED_EXIT_CODE, bind

_log = get_logger(__name__)

_ORPHAN_CHECK_SECONDS = 0.5


async def run_workers(settings: IngressSettings, stop: asyncio.Event) -> int:
    """Serve with `settings.workers` processes until `stop` is set; returns the exit code."""
    _refuse_taken_port(settings)
    _warn_of_unshared_windows(settings)
    with tempfile.TemporaryDirectory(prefix="undertone-ingress-metrics-") as metrics_folder:
        environment = environment_of_worker(settings, os.environ, metrics_folder)
        workers = [await _start(environment) for _ in range(settings.workers)]
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


def _refuse_taken_port(settings: IngressSettings) -> None:
    """Processes that share a port do not notice a stranger on it, so it is tried without sharing first."""
    bind(settings.host, settings.port, host_variable="INGRESS_HOST", port_variable="INGRESS_PORT").close()


def _warn_of_unshared_windows(settings: IngressSettings) -> None:
    limits = map(WindowLimit.parse, (settings.client_limit, settings.anonymous_limit))
    if settings.redis_url is None and any(limits):
        _log.warning("client_limits_unshared", advice="each worker counts clients for itself; REDIS_URL joins them")


def environment_of_worker(
    settings: IngressSettings, environment: Mapping[str, str], metrics_folder: str
) -> dict[str, str]:
    """What a worker is told: its share of every limit, and where all of them count."""
    count = settings.workers
    shares = {
        "INGRESS_WORKERS": "1",
        "INGRESS_SHARES_PORT": "true",
        "INGRESS_REQUESTS_PER_SECOND": str(settings.requests_per_second / count),
        "INGRESS_BURST": str(max(1, settings.allowed_burst // count)),
        "INGRESS_MAX_WAITING_SENDS": str(max(1, settings.max_waiting_sends // count)),
        "INGRESS_MAX_WAITING_BYTES": str(max(2 * settings.max_body_bytes, settings.max_waiting_bytes // count)),
        "INGRESS_MAX_CONNECTIONS": str(max(1, settings.max_connections // count)),
        "PROMETHEUS_MULTIPROC_DIR": metrics_folder,
    }
    return {**environment, **shares}


async def _start(environment: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingress", env=environment)


async def until_orphaned(stop: asyncio.Event) -> None:
    """In a worker: set `stop` when the process that started it is gone, which a kill gives no other sign of."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel announces a parent's end to nobody
        await asyncio.sleep(_ORPHAN_CHECK_SECONDS)
    stop.set()
