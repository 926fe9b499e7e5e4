"""A process of clients that send a byte a second, apart from the client whose waiting is measured.

Says `ready`, waits for a line, opens them all at once, and prints how many seconds each was tolerated, as JSON. A third
dribbles its headers, a third its body, a third says nothing at all. It is nicer than the others: what a thousand
strangers compute is computed on their machines.

    python -m benchmarks.slow_clients HOST PORT COUNT
"""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from urllib.parse import SplitResult

import uvloop

from undertone.bench.open_files import allow_open_files
from undertone.errors import CommandError

_NICENESS = 10
_HEADERS = b"POST /api/v1/conversations HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\n"
_BODY_COMES = _HEADERS + b"Content-Length: 300\r\n\r\n"

Client = Callable[[str, int], Awaitable[float]]


@asynccontextmanager
async def slow_clients(url: SplitResult, count: int) -> AsyncIterator[list[float]]:
    """Open them in another process; in the end the list holds how many seconds each was tolerated."""
    command = (sys.executable, "-m", __name__, str(url.hostname), str(url.port), str(count))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    lifetimes: list[float] = []
    try:
        if await process.stdout.readline() != b"ready\n":
            raise CommandError("the process of slow clients did not start")
        process.stdin.write(b"go\n")
        yield lifetimes
        lifetimes += json.loads(await process.stdout.read())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _open_all(host: str, port: int, count: int) -> list[float]:
    kinds: list[Client] = [_dribble_headers, _dribble_body, _say_nothing]
    chosen = itertools.islice(itertools.cycle(kinds), count)
    return await asyncio.gather(*(kind(host, port) for kind in chosen))


async def _dribble_headers(host: str, port: int) -> float:
    return await _dribble(host, port, _HEADERS, b"X-Slow: " + b"a" * 60)


async def _dribble_body(host: str, port: int) -> float:
    return await _dribble(host, port, _BODY_COMES, b'{"text":"' + b"a" * 60)


async def _say_nothing(host: str, port: int) -> float:
    return await _dribble(host, port, b"", b"")


async def _dribble(host: str, port: int, at_once: bytes, slowly: bytes) -> float:
    """Send the rest byte by byte until the server closes; returns after how many seconds it did."""
    began = monotonic()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(at_once)
    closed = asyncio.create_task(reader.read())  # until the end of what the server says
    for byte in slowly:
        await asyncio.wait({closed}, timeout=1)
        if closed.done():
            break
        writer.write(bytes((byte,)))
    with suppress(ConnectionError):
        await closed
    writer.close()
    return monotonic() - began


def main() -> None:
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.nice(_NICENESS)
    allow_open_files(count + 100)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(uvloop.run(_open_all(host, port, count))))


if __name__ == "__main__":
    main()
