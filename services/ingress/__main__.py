"""`python -m services.ingress`: read the environment, serve until SIGTERM."""

import asyncio
import gc

from services.ingress.app import create_app
from services.ingress.settings import IngressSettings
from services.ingress.workers import run_workers, until_orphaned
from services.runtime.api_keys import refuse_open_bind
from services.runtime.arguments import service_parser
from services.runtime.connection_limits import ConnectionLimits
from services.runtime.logs import configure_logging
from services.runtime.server import run, serve
from services.runtime.settings import load_settings


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
            return await run_workers(settings, stop)
        watch = asyncio.create_task(until_orphaned(stop)) if settings.shares_port else None
        app = create_app(settings)
        _collect_rarely()
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


def _collect_rarely() -> None:
    """Spare the garbage collector what stays for ever: a request makes no cycles, but many objects.

    With the default of 700 new objects a bulk request of 500 starts a collection every few conversations.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


if __name__ == "__main__":
    main()
