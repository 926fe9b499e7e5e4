"""The two loops that analyzer_loop.py compares; each runs until it has published so many outcomes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import Any

import faust
import psutil
import uvloop
from aiokafka import AIOKafkaProducer

from schemas.codec import RawRecord, decode
from schemas.insight_produced import Path
from schemas.topics import ANALYZED, RECEIVED
from services.analyzer import metrics
from services.analyzer.allocator import keep_large_buffers_apart
from services.analyzer.app import run_analyzer
from services.analyzer.engine import Answer, Finding, Task
from services.analyzer.settings import AnalyzerSettings
from undertone.embedded.ports import free_port

BEGUN = "begun"
"""Printed when the clock starts."""
_LOOK_SECONDS = 0.05
_LOOKS_AT_MEMORY = 4
"""To one at how far it is: that takes a thirtieth of what is measured when it is asked 50 times a second."""
_FIRST = 200
"""Outcomes before the clock starts: connecting and joining the group is not what is compared."""


class InstantEngine:
    """Answers at once, and spends nothing."""

    name = "instant"
    analysis_version = "instant-1"
    is_paced = False

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        return Answer(tuple(_FINDING for _ in batch))


_FINDING = Finding(
    -0.5, ("late_delivery",), 0.7, "The customer waits for an order.", "Order is late", "Late.", Path.OFFLINE, "instant"
)


def measure_analyzer(kafka: str, prefix: str, count: int) -> dict[str, float]:
    """The whole analyzer, with an engine that answers at once."""
    keep_large_buffers_apart()  # as its program does
    settings = AnalyzerSettings(
        kafka_bootstrap_servers=kafka,
        kafka_topic_prefix=prefix,
        kafka_group_prefix=prefix,
        port=free_port(),
        prefilter="off",
        cache_size=0,
    )

    async def run(stop: asyncio.Event) -> None:
        await run_analyzer(settings, stop, lambda _: nullcontext([InstantEngine()]))

    return _measure(run, lambda: _total(metrics.OUTCOMES), count)


def _total(metric: Any) -> float:
    """The sum over all labels."""
    samples = (sample for family in metric.collect() for sample in family.samples)
    return float(sum(sample.value for sample in samples if not sample.name.endswith("_created")))


def measure_reference(kafka: str, prefix: str, count: int) -> dict[str, float]:
    """A Faust agent that decodes, publishes with acks=all and acknowledges, one event after the other in order."""
    published = 0

    async def run(stop: asyncio.Event) -> None:
        app = faust.App(
            f"{prefix}reference",
            broker=f"kafka://{kafka}",
            autodiscover=False,
            datadir=datadir,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            table_standby_replicas=0,
            stream_wait_empty=False,
        )
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
        await producer.start()
        topic = app.topic(prefix + RECEIVED.name, value_type=bytes, value_serializer="raw", key_serializer="raw")
        outcomes = prefix + ANALYZED.name
        waiting: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue(maxsize=8_000)

        async def acknowledge_in_order() -> None:
            nonlocal published
            while True:
                event, sent = await waiting.get()
                await sent
                event.ack()
                published += 1

        @app.agent(topic)
        async def analyze(stream: Any) -> None:
            async for event in stream.noack().events():
                message = event.message
                record = RawRecord(
                    RECEIVED.name,
                    message.partition,
                    message.offset,
                    round(message.timestamp * 1000),
                    message.key,
                    message.value,
                    message.headers,
                )
                decode(record, RECEIVED)
                await waiting.put((event, await producer.send(outcomes, message.value, key=message.key)))

        app.finalize()
        starting = asyncio.create_task(app.start())
        acknowledging = asyncio.create_task(acknowledge_in_order())
        await stop.wait()
        acknowledging.cancel()
        await app.stop()
        starting.cancel()
        await producer.stop()

    with TemporaryDirectory() as datadir:
        return _measure(run, lambda: published, count)


def _measure(
    run: Callable[[asyncio.Event], Awaitable[None]], done: Callable[[], float], count: int
) -> dict[str, float]:
    process = psutil.Process()
    peak = 0.0

    async def _reached(wanted: float) -> None:
        nonlocal peak
        while done() < wanted:
            for _ in range(_LOOKS_AT_MEMORY):
                peak = max(peak, process.memory_info().rss / 2**20)
                await asyncio.sleep(_LOOK_SECONDS)

    async def measured() -> dict[str, float]:
        stop = asyncio.Event()
        running = asyncio.ensure_future(run(stop))
        await _reached(_FIRST)
        print(BEGUN, flush=True)
        first, began, cpu = done(), time.perf_counter(), time.process_time()
        await _reached(count)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        await running
        # The peak of this program alone: getrusage counts the process that it was forked from, too.
        return {"per_second": (done() - first) / seconds, "cpu_us": 1e6 * cpu / (done() - first), "rss_mib": peak}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measured())
