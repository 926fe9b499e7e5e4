"""With Kafka stopped there is no 202, the 503 comes in time, and the ingress stays calm meanwhile.

    python -m benchmarks.kafka_away [--tries 10]

A Kafka of its own is stopped; each try is one request, one after the other. CPU is the ingress' share of one core
during the tries and five idle seconds after them.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.measure import Report, run
from services.runtime.kafka import KafkaConnection
from undertone.bench.target import own_ingress
from undertone.embedded.kafka import EmbeddedKafka
from undertone.embedded.ports import free_port
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import ConsoleReporter
from undertone.embedded.settings import load_stack_settings
from undertone.topics import apply

SLOWEST_SECONDS = 2.0
IDLE_SECONDS = 5.0
MOST_CPU_SHARE = 0.2


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Stop Kafka under an ingress that was ready, and post."""
    reporter = ConsoleReporter(Console(stderr=True))
    program = await asyncio.to_thread(ready_program, load_stack_settings().cache_dir, reporter)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kafka = EmbeddedKafka(folder / "kafka", program, free_port(), free_port(), folder / "kafka.log")
        await kafka.start()
        try:
            connection = KafkaConnection(kafka.bootstrap_servers)
            await apply(connection)
            async with own_ingress(connection, {}) as ingress, httpx.AsyncClient(timeout=30) as client:
                url = f"{ingress.url.geturl()}/api/v1/conversations"
                before = await client.post(url, json={"text": "My parcel has not arrived."})
                report.holds("with Kafka the answer is 202", is_met=before.status_code == 202, found=str(before))
                await kafka.stop()
                began, cpu = time.monotonic(), ingress.cpu_seconds()
                answers = [await timed(client, url) for _ in range(options.tries)]
                await asyncio.sleep(IDLE_SECONDS)
                share = (ingress.cpu_seconds() - cpu) / (time.monotonic() - began)
        finally:
            await kafka.stop()
    refused = sum(status == 503 for status, _ in answers)
    report.holds("503 and no 202", is_met=refused == options.tries, found=f"{refused} of {options.tries}")
    report.at_most("slowest 503", max(seconds for _, seconds in answers), SLOWEST_SECONDS, unit="s")
    report.at_most("CPU of the ingress while Kafka is away", share, MOST_CPU_SHARE, unit="cores")


async def timed(client: httpx.AsyncClient, url: str) -> tuple[int, float]:
    """Status of one post, and the seconds until its answer."""
    began = time.perf_counter()
    answer = await client.post(url, json={"text": "My parcel has not arrived."})
    return answer.status_code, time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=10, help="requests while Kafka is away")
    run(measure, parser.parse_args())
