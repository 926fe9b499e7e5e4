"""Serving HTTP beside other work in one event loop, and the life of a service's process.

The port is bound before anything starts, so a taken one is one line and exit code 2, not a half-started service.
"""

import asyncio
import contextlib
import errno
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, NoReturn, Protocol, cast

import uvicorn
from fastapi import FastAPI

from services.runtime.api_keys import Access, ApiKeys
from services.runtime.connection_limits import ConnectionLimits
from services.runtime.health import Health
from services.runtime.http_app import create_http_app
from services.runtime.logs import get_logger
from services.runtime.settings import WRONG_SETTING_EXIT_CODE, SharedSettings, variable_name

try:
    from services.runtime.http_protocol import GuardedProtocol, sweep_for_ever
except ImportError:  # httptools is an extra of the services that face strangers; h11 has limits of its own
    _IS_GUARDED = False
else:
    _IS_GUARDED = True
try:
    from uvloop import new_event_loop
except ImportError:  # an extra, too: asyncio's own loop does the same, slower
    new_event_loop = None  # type: ignore[assignment]

_log = get_logger(__name__)

_BACKLOG = 4096
_KEEP_ALIVE_SECONDS = 75
_OTHER_OPEN_FILES = 200
DRAIN_SECONDS = 20.0
"""How long requests in flight may take to end once the service is told to stop."""
UNEXPECTED_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: a bug ended the process; its supervisor starts it anew."""


class ListeningSettings(Protocol):
    """What of a service's settings the server reads."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def metrics_port(self) -> int | None: ...


class CannotListen(Exception):  # noqa: N818 - it names what happened
    """The address cannot be listened on; the message is one line for the person who starts the service."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has one place that listens to signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int, *, host_variable: str, port_variable: str, reuse_port: bool = False) -> socket.socket:
    """A listening socket. Raises CannotListen, naming the setting that is at fault."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"{host_variable}: {host} is no address to listen on: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # at once: another process that binds the same port must be told
        listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
    except OSError as error:
        listener.close()
        said = f"cannot listen on {host} port {port}: {error.strerror or error}"
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            advice = f"Stop what uses it, or set {port_variable} to another port."
            raise CannotListen(f"{port_variable}: {said}. {advice}") from error
        raise CannotListen(f"{host_variable}: {said}. Set it to an address of this machine.") from error
    return listener


async def serve(
    app: FastAPI,
    settings: ListeningSettings,
    *,
    stop: asyncio.Event,
    limits: ConnectionLimits | None = None,
    drain_seconds: float = DRAIN_SECONDS,
    reuse_port: bool = False,
) -> None:
    """Serve until `stop` is set, then finish what is in flight. Raises CannotListen.

    With METRICS_PORT, health with all its details and the metrics are served there too.
    """
    if limits is not None:
        allow_connections(limits.max_connections)
    with contextlib.ExitStack() as sockets:
        listen = partial(bind, settings.host, host_variable=_variable(settings, "host"))
        listener = sockets.enter_context(
            listen(settings.port, port_variable=_variable(settings, "port"), reuse_port=reuse_port)
        )
        servers = [(_server(app, limits, drain_seconds), listener)]
        if settings.metrics_port is not None:
            metrics = listen(settings.metrics_port, port_variable="METRICS_PORT", reuse_port=reuse_port)
            servers.append(
                (_server(_metrics_app(app, settings), limits, drain_seconds), sockets.enter_context(metrics))
            )
        async with asyncio.TaskGroup() as running:
            for server, sock in servers:
                running.create_task(_serve_one(server, sock, stop))


def _variable(settings: ListeningSettings, name: str) -> str:
    return variable_name(type(settings), name) if isinstance(settings, SharedSettings) else name.upper()


def _metrics_app(app: FastAPI, settings: ListeningSettings) -> FastAPI:
    health: Health = app.state.health
    detailed = Health(health.service, health.checks, health.describe, always_detailed=True)
    keyless = cast("SharedSettings", settings)
    metrics_app = create_http_app(title="Metrics", service=health.service, health=detailed, settings=keyless)
    metrics_app.state.access = Access(ApiKeys())
    return metrics_app


def _server(app: FastAPI, limits: ConnectionLimits | None, drain_seconds: float) -> _Server:
    guarded = partial(GuardedProtocol, limits=limits or ConnectionLimits()) if _IS_GUARDED else "h11"
    config = uvicorn.Config(
        app,
        loop="none",
        http=cast("Any", guarded),  # a class, says uvicorn's type; it only ever calls it
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(drain_seconds),
        h11_max_incomplete_event_size=32 * 1024,
    )
    return _Server(config)


async def _serve_one(server: _Server, sock: socket.socket, stop: asyncio.Event) -> None:
    host, port = sock.getsockname()[:2]
    async with _running(_announce_and_stop(server, stop, f"{host}:{port}")), _running(_sweep(server)):
        try:
            await server.serve(sockets=[sock])
        except SystemExit as error:  # uvicorn's way to say that the lifespan failed; it has logged why
            raise RuntimeError("the service's resources could not be opened") from error


async def _announce_and_stop(server: _Server, stop: asyncio.Event, address: str) -> None:
    await server.listening.wait()
    _log.info("listening", address=address)
    await stop.wait()
    _log.info("draining", address=address, requests=len(server.server_state.tasks))
    server.should_exit = True


async def _sweep(server: _Server) -> None:
    if _IS_GUARDED:
        await sweep_for_ever(server.server_state.connections)


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files, as far as it may, so that so many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_OPEN_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        _log.warning("open_files_limited", allowed=allowed, wanted=wanted)


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> NoReturn:
    """Run a service until it ends or SIGTERM or SIGINT comes (`stop` is set), and exit with its code.

    A second signal cancels it. CannotListen ends it with one line and code 2, what is unexpected with code 70.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            code = runner.run(_until_signalled(main))
        except asyncio.CancelledError:
            code = 130
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the process ends here, with a code and a reason
            code = _exit_code_of(error)
    sys.exit(code)


def _exit_code_of(error: BaseException) -> int:
    cannot_listen = _find(error, CannotListen)
    if cannot_listen is not None:
        print(cannot_listen, file=sys.stderr)  # noqa: T201 - the one line that ends the start
        return WRONG_SETTING_EXIT_CODE
    _log.exception("process_failed")
    return UNEXPECTED_EXIT_CODE


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    if isinstance(error, kind):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _find(one, kind)) is not None), None)
    return None


async def _until_signalled(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    assert this is not None

    def on_signal() -> None:
        if stop.is_set():
            this.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return await main(stop)
