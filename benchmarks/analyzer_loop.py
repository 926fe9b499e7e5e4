"""The analyzer's loop against a bare Faust loop, in one run on one Kafka.

    python -m benchmarks.analyzer_loop [--kafka HOST:PORT] [--conversations 20000] [--rounds 3] [--queues N M]

The reference is a Faust agent that does the least that is safe: decode, publish with acks=all, acknowledge, in
order. The analyzer does all of its work (places, windows, batches, insights) with an engine that answers at once.
Both run as processes of their own, in turns; printed are conversations a second and CPU a conversation. The ratio
(at least 0.8 is wanted) is that of the conversations a CPU second, medians: other processes disturb it less. Then
the analyzer's memory with little and with much waiting in Kafka: `--rounds 0 --queues 20000 1000000` is what the figure
is stated for. Each time Kafka hesitates at the beginning, so that windows and buffers are as full as they may be: else
a long run would have met that by chance, and a short one not. (Not one that is given by --kafka: it is not ours.)
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer

from benchmarks.analyzer_loop_parts import BEGUN, measure_analyzer, measure_reference
from benchmarks.measure import Report, arguments, run, topics_on
from schemas.codec import encode
from schemas.topics import RECEIVED
from tests.builders import a_conversation, a_turn, an_envelope
from undertone.topics import apply

MEASURES = {"reference": measure_reference, "analyzer": measure_analyzer}
WANTED_RATIO = 0.8
MOST_GROWTH_MIB = 5.0
_HESITATES_SECONDS = 2.0
_UNSENT = 20_000
"""While filling: so many records wait for Kafka at the most, however long the queue is to be."""


async def fill(kafka: str, prefix: str, count: int) -> None:
    """Create topics under a prefix and write conversations of five turns."""
    await apply(kafka, prefix=prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5, max_batch_size=1 << 20)
    await producer.start()
    try:
        sent = []
        for number in range(count):
            turns = [
                a_turn(f"Order {number} of {prefix} is late, said the customer, line {line}.") for line in range(5)
            ]
            conversation = a_conversation(f"conv-{number}", turns=turns)
            value, headers = encode(conversation, an_envelope())
            key = conversation.conversation_id.encode()
            sent.append(await producer.send(prefix + RECEIVED.name, value, key=key, headers=headers))
            if len(sent) >= _UNSENT:
                await asyncio.gather(*sent)
                sent.clear()
        for future in sent:
            await future
    finally:
        await producer.stop()


async def run_apart(
    what: str, kafka: str, prefix: str, count: int, begun: Callable[[], Awaitable[None]] | None = None
) -> dict[str, float]:
    """Measure in a process of its own, so that neither warms the other up; `begun` is run once it works."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.analyzer_loop", "--measure", what, "--kafka", kafka,
        "--prefix", prefix, "--conversations", str(count), stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(("ANALYZER_", "KAFKA_", "XAI_"))},
    )  # fmt: skip
    assert process.stdout is not None
    last = b""
    async for last in process.stdout:
        if last.decode().rstrip() == BEGUN and begun is not None:
            await begun()
    if await process.wait() != 0:
        sys.exit(f"{what} ended with {process.returncode}")
    measured: dict[str, float] = json.loads(last)
    return measured


async def hesitate() -> None:
    """Let our Kafka, if it is ours, stand still for some seconds."""
    ours = [child for child in psutil.Process().children() if child.name() == "java"]
    for child in ours:
        child.suspend()
    await asyncio.sleep(_HESITATES_SECONDS)
    for child in ours:
        child.resume()


async def compare(report: Report, kafka: str, count: int, rounds: int) -> float:
    """How many conversations a CPU second the analyzer does, of what the bare loop does."""
    costs: dict[str, list[float]] = {"reference": [], "analyzer": []}
    for turn in range(rounds):
        prefix = f"bench-{uuid.uuid4().hex[:8]}-"
        await fill(kafka, prefix, count)
        for what, found in costs.items():
            measured = await run_apart(what, kafka, prefix, count)
            found.append(measured["cpu_us"])
            report.note(
                f"round {turn + 1}  {what:9}  {measured['per_second']:7.0f} conversations/s"
                f"  {measured['cpu_us']:5.0f} us CPU each  {measured['rss_mib']:4.0f} MiB"
            )
    return statistics.median(costs["reference"]) / statistics.median(costs["analyzer"])


async def memory(report: Report, kafka: str, counts: Sequence[int]) -> None:
    """The analyzer's memory while it works off a queue of each size, the smallest first."""
    peaks: list[float] = []
    for count in sorted(counts):
        prefix = f"bench-{uuid.uuid4().hex[:8]}-"
        began = time.monotonic()
        await fill(kafka, prefix, count)
        filled = time.monotonic() - began
        measured = await run_apart("analyzer", kafka, prefix, count, hesitate)
        peaks.append(measured["rss_mib"])
        report.note(f"queue of {count:9,}  {peaks[-1]:4.0f} MiB at most  (filled in {filled:.0f} s)")
    if len(peaks) > 1:
        what = f"growth of memory from a queue of {min(counts):,} to one of {max(counts):,}"
        report.at_most(what, peaks[-1] - peaks[0], MOST_GROWTH_MIB, unit="MiB")


async def main(report: Report, options: Any) -> None:
    """Both comparisons on one Kafka."""
    async with topics_on(options.kafka) as connection:  # the topics are not used: each round has its own
        kafka = connection.bootstrap_servers
        if options.rounds:
            ratio = await compare(report, kafka, options.conversations, options.rounds)
            report.at_least("conversations a CPU second, of the bare loop's", ratio, WANTED_RATIO)
        await memory(report, kafka, options.queues)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--conversations", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="0 measures the memory alone")
    parser.add_argument("--queues", type=int, nargs="*", default=[20_000, 200_000])
    parser.add_argument("--measure", choices=[*MEASURES], help=argparse.SUPPRESS)
    parser.add_argument("--prefix", help=argparse.SUPPRESS)
    chosen: Any = parser.parse_args()
    if chosen.measure:
        print(json.dumps(MEASURES[chosen.measure](chosen.kafka, chosen.prefix, chosen.conversations)))
    else:
        run(main, chosen)
