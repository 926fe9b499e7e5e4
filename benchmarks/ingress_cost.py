"""What one accepted conversation costs the ingress, as a ratio to a bare endpoint measured in the same run.

The reference validates the same body with FastAPI and pydantic and talks to no Kafka; ours answers 202 after
acks=all. CPU time of the server process a request (or a conversation of a bulk request), ABBA rounds, medians.

    python benchmarks/ingress_cost.py --kafka 127.0.0.1:19092
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from undertone.topics import apply

SINGLE = json.dumps({"text": "My parcel is late again and nobody answers the phone. " + "x" * 226}).encode()
BULK_SIZE = 500
BULK = b"\n".join([SINGLE] * BULK_SIZE)

REFERENCE = """
import sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
class Body(BaseModel):
    text: str = Field(min_length=1, max_length=20000)
    author: str | None = None
app = FastAPI()
@app.post("/api/v1/conversations", status_code=202)
async def post(body: Body) -> dict[str, str]:
    return {"status": "accepted", "conversation_id": "conv_0", "message": "Conversation queued for analysis"}
@app.get("/livez")
async def livez() -> dict[str, str]:
    return {}
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", loop="uvloop", http="httptools")
"""


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


class Client(asyncio.Protocol):
    """One connection: sends the request again as soon as its answer is complete."""

    def __init__(self, request: bytes, budget: list[int], done: asyncio.Event) -> None:
        self._request = request
        self._budget = budget
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def go(self) -> None:
        if self._budget[0] <= 0:
            self._done.set()
            return
        self._budget[0] -= 1
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        if not head.startswith(b"HTTP/1.1 202"):
            raise RuntimeError(f"unexpected answer: {head[:60]!r} {rest[:300]!r}")
        self._buffer = b""
        self.go()


async def drive(port: int, request: bytes, requests: int, connections: int) -> None:
    """Closed loop: so many connections, each one request at a time."""
    loop = asyncio.get_running_loop()
    budget = [requests]
    clients, events = [], []
    for _ in range(connections):
        done = asyncio.Event()
        _, client = await loop.create_connection(partial(Client, request, budget, done), "127.0.0.1", port)
        clients.append(client)
        events.append(done)
    for client in clients:
        client.go()
    await asyncio.gather(*(done.wait() for done in events))
    for client in clients:
        client.transport.close()


def http_request(path: str, body: bytes, media_type: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def serving(name: str, command: list[str], port: int, environment: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        wait_until_live(port)
        yield Server(name, port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def wait_until_live(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def microseconds_each(server: Server, request: bytes, requests: int, connections: int, per_request: int = 1) -> float:
    before = server.cpu_seconds()
    asyncio.run(drive(server.port, request, requests, connections))
    return (server.cpu_seconds() - before) / (requests * per_request) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default="127.0.0.1:19092", help="HOST:PORT of a real Kafka")
    parser.add_argument("--requests", type=int, default=6000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of ABBA")
    options = parser.parse_args()
    prefix = f"cost-{uuid.uuid4().hex[:8]}."
    asyncio.run(apply(options.kafka, prefix=prefix))
    ours = {
        "KAFKA_BOOTSTRAP_SERVERS": options.kafka,
        "KAFKA_TOPIC_PREFIX": prefix,
        "INGRESS_PORT": "18201",
        "INGRESS_REQUESTS_PER_SECOND": "0",
        "LOG_LEVEL": "WARNING",
    }
    with (
        serving("reference", [sys.executable, "-c", REFERENCE, "18202"], 18202, {}) as reference,
        serving("ingress", [sys.executable, "-m", "services.ingress"], 18201, ours) as ingress,
    ):
        measure(reference, ingress, options.requests, options.rounds)


def measure(reference: Server, ingress: Server, requests: int, rounds: int) -> None:
    single = http_request("/api/v1/conversations", SINGLE, "application/json")
    for server in (reference, ingress):  # warm
        microseconds_each(server, single, 1000, 64)
    costs: dict[str, list[float]] = {"reference": [], "ingress": []}
    for _ in range(rounds):
        for server in (reference, ingress, ingress, reference):
            costs[server.name].append(microseconds_each(server, single, requests, 64))
    bare, durable = (statistics.median(costs[name]) for name in ("reference", "ingress"))
    print(f"bare FastAPI + pydantic, no Kafka: {bare:.0f} µs CPU a request")
    print(f"ingress, 202 after acks=all:       {durable:.0f} µs CPU a request")
    print(f"ratio: {durable / bare:.2f} (must be <= 0.85, aim 0.35)")
    many = statistics.median(microseconds_each(ingress, single, requests, 1024) for _ in range(rounds))
    print(f"at 1,024 connections: {many:.0f} µs, {many / durable:.2f} x the cost at 64 (must be <= 1.5)")
    bulk = http_request("/api/v1/conversations/bulk", BULK, "application/x-ndjson")
    microseconds_each(ingress, bulk, 20, 4)
    each = statistics.median(microseconds_each(ingress, bulk, 60, 4, BULK_SIZE) for _ in range(rounds))
    print(f"bulk of {BULK_SIZE}: {each:.1f} µs CPU a conversation (must be <= 10)")


if __name__ == "__main__":
    main()
