"""Running the simulator: in a process of its own, or beside a test in the same loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.runtime.server import bind
from undertone.simulator.application import Simulator
from undertone.simulator.chat import TRANSPORT, Receive, Scope, Send
from undertone.simulator.conduct import Conduct


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that listens."""

    address: str
    """`http://HOST:PORT`"""
    simulator: Simulator

    @property
    def base_url(self) -> str:
        """What ANALYZER_LLM_BASE_URL has to be."""
        return f"{self.address}/v1"


class _Protocol(H11Protocol):
    """HTTP that hands the application its connection: only with it a connection can be reset."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await application({**scope, TRANSPORT: self.transport}, receive, send)

        self.app = with_transport


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def running_simulator(
    conduct: Conduct | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Running]:
    """A simulator that listens until the block ends; port 0 takes a free one. Raises CannotListen."""
    simulator = Simulator(conduct)
    listener = bind(host, port, host_variable="--host", port_variable="--port")
    config = uvicorn.Config(
        simulator,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=1,
        backlog=4096,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Running(f"http://{host}:{listener.getsockname()[1]}", simulator)
    finally:
        simulator.close()
        server.should_exit = True
        await serving
        listener.close()
