"""`undertone bench ingress`: load on an ingress, and Kafka read back afterwards."""

import asyncio
import gc
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult

from services.runtime.kafka import KafkaConnection
from undertone.bench.ledger import Audit, Ledger
from undertone.bench.load import Load, open_load
from undertone.bench.posts import DEFAULT_TEXT_BYTES, NextPost, PostMaker, Shape
from undertone.bench.result import Result, ServerCost
from undertone.bench.run import Plan
from undertone.bench.stored import Offsets, end_offsets, stored_ids
from undertone.bench.target import ServerProcess


@dataclass(frozen=True)
class IngressLoad:
    """What a person asks for."""

    plan: Plan
    connections: int = 64
    shape: Shape = Shape.TURNS
    text_bytes: int = DEFAULT_TEXT_BYTES
    bulk_size: int = 500
    api_key: str | None = None
    is_distinct: bool = False
    """No two texts are the same, so that nothing is answered from a cache."""

    def post_maker(self, url: SplitResult) -> NextPost:
        """Requests with ids that no other run has."""
        return PostMaker(
            url,
            f"bench-{uuid.uuid4().hex[:12]}",
            shape=self.shape,
            text_bytes=self.text_bytes,
            bulk_size=self.bulk_size,
            api_key=self.api_key,
            is_distinct=self.is_distinct,
        )

    def described(self, url: SplitResult) -> dict[str, object]:
        """For the result; the key is not in it."""
        return {
            "url": f"{url.scheme}://{url.netloc.rpartition('@')[2]}",
            "shape": str(self.shape),
            "text_bytes": self.text_bytes,
            "conversations_per_request": self.bulk_size if self.shape is Shape.BULK else 1,
            "connections": self.connections,
            "loop": "closed" if self.plan.rate is None else "open",
            "requests_per_second": self.plan.rate,
            "seconds": self.plan.seconds,
            "requests": self.plan.requests,
        }


Watch = Callable[[Load], None]


async def measure(
    asked: IngressLoad,
    url: SplitResult,
    *,
    kafka: KafkaConnection | None = None,
    process: ServerProcess | None = None,
    watch: Watch = lambda _: None,
    watch_every_seconds: float = 0.25,
) -> Result:
    """Run the load; with `kafka`, hold every 202 against what stands there; with `process`, say what it cost.

    Raises CommandError when the ingress or Kafka does not answer.
    """
    begin = await end_offsets(kafka) if kafka else None
    ledger = Ledger()
    async with open_load(url, asked.connections) as load, _watched(load, watch, watch_every_seconds):
        cpu_before, memory_before = (process.cpu_seconds(), process.memory_mib()) if process else (0.0, 0.0)
        began = time.monotonic()
        with few_pauses():
            recorder = await load.run(asked.plan, asked.post_maker(url), ledger)
        seconds = time.monotonic() - began
        cost = _cost(process, cpu_before, memory_before, recorder.sent) if process else None
    audit = await audited(kafka, begin, ledger) if kafka and begin is not None else None
    return Result(asked.described(url), seconds, recorder, ledger, audit, cost, load.failed_to_open)


@contextmanager
def few_pauses() -> Iterator[None]:
    """Keep the garbage collector from walking everything that was imported: 30 ms that would look like the server's."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def audited(kafka: KafkaConnection, begin: Offsets, ledger: Ledger) -> Audit:
    """Hold the answers against the records that Kafka has got since `begin`."""
    return ledger.audit(await stored_ids(kafka, begin, await end_offsets(kafka)))


def _cost(process: ServerProcess, cpu_before: float, memory_before: float, requests: int) -> ServerCost:
    cpu_seconds = process.cpu_seconds() - cpu_before
    return ServerCost(
        cpu_seconds=round(cpu_seconds, 3),
        cpu_us_per_request=round(cpu_seconds / max(1, requests) * 1e6, 1),
        memory_before_mib=round(memory_before, 1),
        memory_after_mib=round(process.memory_mib(), 1),
    )


@asynccontextmanager
async def _watched(load: Load, watch: Watch, every_seconds: float) -> AsyncIterator[None]:
    """Call `watch` now and then while the load runs."""

    async def look() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            watch(load)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
