"""1,000 clients that send a byte a second: all must be closed within 10 s, and a normal client must hardly notice.

A third dribbles its headers, a third its body, a third says nothing at all. The normal client posts 200
conversations a second over 8 connections; its p99 beside the slow ones is compared with its p99 without them.

    python -m benchmarks.ingress_slow_clients [--kafka HOST:PORT] [--clients 1000] [--rounds 1]
"""

import argparse
import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from urllib.parse import SplitResult

from benchmarks.measure import Report, abba, arguments, median, run, topics_on
from undertone.bench.ingress import IngressLoad, few_pauses
from undertone.bench.ledger import Ledger
from undertone.bench.load import open_load
from undertone.bench.open_files import allow_open_files
from undertone.bench.run import Plan
from undertone.bench.target import own_ingress

SECONDS = 12.0
RATE = 200.0
ALLOWED_SECONDS = 10.0
HEADERS = b"POST /api/v1/conversations HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\n"
BODY_COMES = HEADERS + b"Content-Length: 300\r\n\r\n"


async def main(report: Report, options: argparse.Namespace) -> None:
    allow_open_files(options.clients + 500)
    async with topics_on(options.kafka) as kafka, own_ingress(kafka, {}) as ingress:
        lifetimes: list[float] = []

        async def quiet() -> float:
            return await _p99_ms_of_a_normal_client(ingress.url)

        async def disturbed() -> float:
            slow = asyncio.create_task(_slow_clients(ingress.url, options.clients))
            try:
                return await quiet()
            finally:
                lifetimes.extend(await slow)

        with few_pauses():
            await quiet()  # warm
            disturbed_ms, quiet_ms = await abba(disturbed, quiet, options.rounds)
    closed = [lifetime for lifetime in lifetimes if lifetime <= ALLOWED_SECONDS]
    found = f"{len(closed):,} of {len(lifetimes):,}, the last after {max(lifetimes):.1f} s"
    what = f"{options.clients:,} slow clients are closed within {ALLOWED_SECONDS:g} s"
    report.holds(what, is_met=len(closed) == len(lifetimes), found=found)
    report.note(f"p99 of a normal client: {median(quiet_ms):.1f} ms quiet, {median(disturbed_ms):.1f} ms beside them")
    report.at_most("p99 beside slow clients ÷ quiet", median(disturbed_ms) / median(quiet_ms), 2)


async def _p99_ms_of_a_normal_client(url: SplitResult) -> float:
    async with open_load(url, 8) as load:
        posts = IngressLoad(Plan(requests=1)).post_maker(url)
        recorder = await load.run(Plan(rate=RATE, seconds=SECONDS), posts, Ledger())
    return recorder.latency.percentile_ms(99)


async def _slow_clients(url: SplitResult, clients: int) -> list[float]:
    """Open them all at once; returns how long each was tolerated, in seconds."""
    kinds: list[Callable[[SplitResult], Awaitable[float]]] = [_dribble_headers, _dribble_body, _say_nothing]
    chosen = itertools.islice(itertools.cycle(kinds), clients)
    return await asyncio.gather(*(kind(url) for kind in chosen))


async def _dribble_headers(url: SplitResult) -> float:
    return await _dribble(url, HEADERS, b"X-Slow: " + b"a" * 60)


async def _dribble_body(url: SplitResult) -> float:
    return await _dribble(url, BODY_COMES, b'{"text":"' + b"a" * 60)


async def _say_nothing(url: SplitResult) -> float:
    return await _dribble(url, b"", b"")


async def _dribble(url: SplitResult, at_once: bytes, slowly: bytes) -> float:
    """Send the rest byte by byte until the server closes; returns after how many seconds it did."""
    began = monotonic()
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
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


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1, help="of ABBA")
    run(main, parser.parse_args())
