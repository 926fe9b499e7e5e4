"""`python -m services.ingress`: read the environment, serve until SIGTERM."""

import asyncio
import os
from collections.abc import Mapping
from functools import partial

from services.ingress.app import create_app
from services.ingress.settings import IngressSettings
from services.ingress.workers import run_workers, until_orphaned
from services.runtime.api_keys import refuse_open_bind
from services.runtime.arguments import service_parser
from services.runtime.connection_limits import ConnectionLimits
from services.runtime.garbage import collect_rarely
from services.runtime.logs import configure_logging, get_logger
from services.runtime.rate_limits import WindowLimit
from services.runtime.server import bind, run, serve
from services.runtime.settings import load_settings

_log = get_logger(__name__)

_OBJECTS_A_REQUEST = 40
"""Those that the garbage collector counts, from the request's task to its headers: some thirty, measured."""


def main() -> None:
    """Serve, and exit: 0 after SIGTERM, 2 for a wrong setting."""
    service_parser(
        "ingress", "Take conversations over HTTP and give them to Kafka until SIGTERM.", IngressSettings
    ).parse_args()
    settings = load_settings(IngressSettings)
    configure_logging(settings, "ingress")
    refuse_open_bind(settings)
    limits = ConnectionLimits(max_connections=settings.max_connections, request_seconds=settings.read_timeout_seconds)

    async def until_stopped(stop: asyncio.Event) -> int:
        if settings.workers > 1:
            _refuse_taken_port(settings)
            _warn_of_unshared_windows(settings)
            return await run_workers(settings.workers, partial(_environment_of_worker, settings, os.environ), stop)
        watch = asyncio.create_task(until_orphaned(stop)) if settings.shares_port else None
        app = create_app(settings)
        collect_rarely(settings.max_connections * _OBJECTS_A_REQUEST)
        await serve(
            app,
            settings,
            stop=stop,
            limits=limits,
            drain_seconds=settings.drain_seconds,
            reuse_port=settings.shares_port,
        )
        if watch is not None:
            watch.cancel()
        return 0

    run(until_stopped)


def _refuse_taken_port(settings: IngressSettings) -> None:
    """Processes that share a port do not notice a stranger on it, so it is tried without sharing first."""
    bind(settings.host, settings.port, host_variable="INGRESS_HOST", port_variable="INGRESS_PORT").close()


def _warn_of_unshared_windows(settings: IngressSettings) -> None:
    limits = map(WindowLimit.parse, (settings.client_limit, settings.anonymous_limit))
    if settings.redis_url is None and any(limits):
        _log.warning("client_limits_unshared", advice="each worker counts clients for itself; REDIS_URL joins them")


def _environment_of_worker(
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


if __name__ == "__main__":
    main()
