"""An ingress on a real port of this machine, and connections that are spoken to byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.ingress.app import OpenResources, create_app
from services.ingress.resources import Resources, intake_of, open_resources
from services.ingress.settings import IngressSettings
from services.runtime.connection_limits import ConnectionLimits
from services.runtime.server import serve
from tests.fakes import FakePublisher
from tests.waiting import eventually
from undertone.embedded.ports import free_port

HEAD = "POST /api/v1/conversations HTTP/1.1\r\nhost: ingress.test\r\ncontent-type: application/json\r\n"


@dataclass
class Served:
    """A running ingress."""

    port: int
    stop: asyncio.Event
    publisher: FakePublisher = field(default_factory=FakePublisher)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> "Line":
        return Line(*await asyncio.open_connection("127.0.0.1", self.port))


@dataclass
class Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        async with asyncio.timeout(30):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head.split(b" ")[1]), await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(30):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


def request(body: str | bytes = '{"text":"a"}', *headers: str) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{HEAD}{lines}content-length: {len(content)}\r\n\r\n".encode() + content


@asynccontextmanager
async def serving(
    limits: ConnectionLimits | None = None,
    *,
    resources: OpenResources | None = None,
    drain_seconds: float = 5,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serve on a free port until the block ends; on a fake Kafka unless other resources are given."""
    served = Served(free_port(), asyncio.Event())

    @asynccontextmanager
    async def on_a_fake(given: IngressSettings) -> AsyncIterator[Resources]:
        async def reachable() -> bool:
            return True

        yield Resources(intake_of(given, served.publisher), served.publisher, "kafka.test", reachable)

    chosen = IngressSettings(**{"requests_per_second": 0, "port": served.port, **settings})
    app = create_app(chosen, resources or on_a_fake)
    running = asyncio.create_task(serve(app, chosen, stop=served.stop, limits=limits, drain_seconds=drain_seconds))
    try:
        await eventually(lambda: running.done() or _listens(served.port), what="the ingress listens")
        yield served
    finally:
        served.stop.set()
        await running


async def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        line = Line(*await asyncio.open_connection("127.0.0.1", port))
        await line.say("GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        alive = await line.rest()
        line.close()
        return alive.startswith(b"HTTP/1.1 200")
    return False


on_a_real_kafka: OpenResources = open_resources
