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
import selectors
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from urllib.parse import SplitResult

from undertone.bench.open_files import allow_open_files
from undertone.errors import CommandError

_NICENESS = 10
_HEADERS = b"POST /api/v1/conversations HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\n"
_BODY_COMES = _HEADERS + b"Content-Length: 300\r\n\r\n"
_KINDS = ((_HEADERS, b"X-Slow: " + b"a" * 60), (_BODY_COMES, b'{"text":"' + b"a" * 60), (b"", b""))
"""What a client says at once, and what byte by byte: headers, a body, nothing."""


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


class _Client:
    """One that says something at once, and then a byte a second of what it has left, until the server closes."""

    def __init__(self, address: tuple[str, int], at_once: bytes, slowly: bytes) -> None:
        self.began = monotonic()
        self.line = socket.create_connection(address)
        self.line.setblocking(False)
        self.line.send(at_once)
        self._left = iter(slowly)

    def dribble(self) -> None:
        """Say the next byte."""
        with suppress(OSError):  # it is closed: the selector tells
            self.line.send(bytes(itertools.islice(self._left, 1)))

    def is_closed(self) -> bool:
        """Read what the server says; whether that was the end."""
        try:
            return not self.line.recv(65_536)
        except BlockingIOError:
            return False
        except OSError:
            return True


def _lifetimes(host: str, port: int, count: int) -> list[float]:
    """Open all and dribble until the last is closed; how many seconds each was tolerated.

    Bare sockets, since every microsecond here is one that the others wait for a processor.
    """
    kinds = itertools.cycle(_KINDS)
    clients = [_Client((host, port), *next(kinds)) for _ in range(count)]
    lifetimes: list[float] = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.line, selectors.EVENT_READ, client)
        next_byte = monotonic() + 1
        while selector.get_map():
            for key, _ in selector.select(max(0.0, next_byte - monotonic())):
                client = key.data
                if client.is_closed():
                    selector.unregister(client.line)
                    client.line.close()
                    lifetimes.append(monotonic() - client.began)
            if monotonic() >= next_byte:
                next_byte += 1
                for key in list(selector.get_map().values()):
                    key.data.dribble()
    return lifetimes


def main() -> None:
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.nice(_NICENESS)
    allow_open_files(count + 100)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(_lifetimes(host, port, count)))


if __name__ == "__main__":
    main()
