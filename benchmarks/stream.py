"""How soon a stored insight is seen, and whether readers of the stream wait for each other.

    python -m benchmarks.stream [--readers 500] [--stalled 50] [--batches 100] [--postgres URL]

A read API in a process of its own, on a database of its own. One after the other, small batches are stored as the
sink stores them; measured is the time from the commit until the insight can be fetched by its id, and until each
reader of the stream has it. In half of the rounds all readers read, in the other half some never read a byte after
their question; the order is ABBA. Nobody may be later for that, and nobody who reads may miss one.
"""

import argparse
import asyncio
import os
import re
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import asyncpg
import httpx

from benchmarks.measure import Report, median, percentile, run
from schemas.topics import ANALYZED
from services.runtime.kafka import KafkaConnection
from services.runtime.server import allow_connections
from services.sink.batch import Place
from services.sink.database import open_write_pool
from tests.infrastructure.databases import create_migrated_database, drop_database
from tests.infrastructure.servers import new_postgres, running
from tests.integration.sink.harness import Sink, insight
from tests.waiting import eventually
from undertone.embedded.ports import free_port

_EVENT = re.compile(rb'"conversation_id":"(told-\d+)"')
_IN_A_BATCH = 3
_PAUSE_SECONDS = 0.15
_NO_KAFKA = "127.0.0.1:1"


@dataclass
class Reader:
    """One open stream; `seen` says when each conversation's insight came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: dict[bytes, float] = field(default_factory=dict)

    async def read(self) -> None:
        """Until the stream ends."""
        rest = b""
        while chunk := await self.reader.read(65_536):
            now = time.perf_counter()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if found := _EVENT.search(line):
                    self.seen[found[1]] = now


@dataclass
class Told:
    """Milliseconds from the commit, of all insights of some rounds."""

    fetched: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    missed: int = 0


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Run both rounds and judge."""
    allow_connections(options.readers * 2)
    async with AsyncExitStack() as opened:
        server = options.postgres or opened.enter_context(running(new_postgres())).url
        name = f"undertone_stream_{uuid.uuid4().hex[:8]}"
        url = await asyncio.to_thread(create_migrated_database, server, name)
        opened.callback(drop_database, server, name)
        pool = await opened.enter_async_context(open_write_pool(url))
        address = await opened.enter_async_context(read_api(url))
        sink = await _sink(pool)
        told = {stalled: Told() for stalled in (0, options.stalled)}
        for stalled in (0, options.stalled, options.stalled, 0):
            await _round(address, sink, options, stalled, told[stalled])
        for stalled, one in told.items():
            _judge(report, one, f"with {options.readers - stalled} readers that read and {stalled} that do not")


def _judge(report: Report, told: Told, which: str) -> None:
    report.note(f"{which}: fetched after {median(told.fetched):.0f} ms, heard after {median(told.heard):.0f}")
    report.at_most(f"stored to fetched {which}, p99", percentile(told.fetched, 99), 250, unit="ms")
    report.at_most(f"stored to heard {which}, p99", percentile(told.heard, 99), 250, unit="ms")
    report.holds("nobody who reads misses one", is_met=told.missed == 0, found=f"{told.missed} missed")


@asynccontextmanager
async def read_api(url: str) -> AsyncIterator[str]:
    """The read API in a process of its own; yields its address."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": _NO_KAFKA,
        "SINK_PORT": str(port),
        "SINK_CLIENT_LIMIT": "off",
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.sink", "--role", "api", env=environment
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await eventually(lambda: _is_ready(client), what="the read API is ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def _sink(pool: asyncpg.Pool) -> Sink:
    connection = KafkaConnection(_NO_KAFKA)
    sink = Sink(pool, group=connection.group_name("sink"))
    sink.analyzed = Place(connection.topic_name(ANALYZED), 0)
    return await sink.claim()


async def _round(address: str, sink: Sink, options: argparse.Namespace, stalled: int, told: Told) -> None:
    readers = [await _opened(address) for _ in range(options.readers - stalled)]
    sleepers = [await _opened(address, receive_bytes=2_048) for _ in range(stalled)]
    reading = [asyncio.create_task(one.read()) for one in readers]
    stored: dict[bytes, float] = {}
    async with httpx.AsyncClient(base_url=address) as client:
        await eventually(lambda: _has_readers(client, options.readers), what="all readers listen")
        for _ in range(options.batches // 2):
            stored |= await _store_and_fetch(client, sink, told)
            await asyncio.sleep(_PAUSE_SECONDS)
    with suppress(AssertionError):  # what is missing then, is
        await eventually(lambda: _has_each_heard(readers, stored), within_seconds=10)
    heard = [(one.seen[name] - moment) * 1000 for one in readers for name, moment in stored.items() if name in one.seen]
    for one in (*readers, *sleepers):
        one.writer.transport.abort()
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    told.heard += heard
    told.missed += len(readers) * len(stored) - len(heard)


async def _store_and_fetch(client: httpx.AsyncClient, sink: Sink, told: Told) -> dict[bytes, float]:
    """Store a batch and wait until it can be fetched; gives when each insight was committed."""
    events = [insight(f"told-{uuid.uuid4().int >> 72}", "words", 1) for _ in range(_IN_A_BATCH)]
    await sink.finish(*events)
    committed = time.perf_counter()
    while (await client.get(f"/api/v1/insights/{events[0].insight_id}")).status_code != 200:
        pass
    told.fetched.append((time.perf_counter() - committed) * 1000)
    return {event.conversation_id.encode(): committed for event in events}


async def _has_each_heard(readers: list[Reader], stored: dict[bytes, float]) -> bool:
    return all(len(one.seen) == len(stored) for one in readers)


async def _has_readers(client: httpx.AsyncClient, count: int) -> bool:
    text = (await client.get("/metrics")).text
    return f"undertone_sink_stream_readers {count:.1f}" in text


async def _opened(address: str, receive_bytes: int | None = None) -> Reader:
    where = urlsplit(address)
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (where.hostname, where.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=4_096)
    writer.write(f"GET /api/v1/insights/stream HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    await writer.drain()
    return Reader(reader, writer)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--stalled", type=int, default=50, help="of them, in the second round")
    parser.add_argument("--batches", type=int, default=100, help="of each kind of round")
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL; default: a temporary one")
    run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
