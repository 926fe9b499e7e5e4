"""How long a conversation waits for its call when there is little to do: what the batching window adds.

    python -m benchmarks.llm_idle [--conversations 60] [--kafka HOST:PORT]

One analyzer with the default window and limit gets single conversations at irregular times. Measured is the time from
a record's arrival in the window to the start of its call: the window and, at the worst, one interval of the pace.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import nullcontext

from aiokafka import AIOKafkaProducer

from benchmarks.analyzer_loop_parts import InstantEngine
from benchmarks.measure import Report, arguments, percentile, run, topics_on
from schemas.codec import encode
from schemas.topics import RECEIVED
from services.analyzer.accepting import Accepting
from services.analyzer.app import run_analyzer
from services.analyzer.arrivals import Arrival
from services.analyzer.engine import Answer, Task
from services.analyzer.settings import AnalyzerSettings
from services.runtime.kafka import KafkaConnection
from tests.builders import a_conversation, an_envelope
from tests.waiting import eventually
from undertone.embedded.ports import free_port

_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 1.0


class Noting(InstantEngine):
    """Notes when each content's call starts."""

    is_paced = True

    def __init__(self) -> None:
        self.started: dict[str, float] = {}

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        self.started |= dict.fromkeys((task.content_hash for task in batch), time.perf_counter())
        return await super().analyze(batch)


def note_arrivals() -> dict[str, float]:
    """From now on, when each content came into the window."""
    arrived: dict[str, float] = {}
    wait = Accepting._wait  # noqa: SLF001 - where records enter the window, and nothing tells of it

    def noted(accepting: Accepting, arrival: Arrival, task: Task, tokens: int) -> None:
        arrived[task.content_hash] = time.perf_counter()
        wait(accepting, arrival, task, tokens)

    setattr(Accepting, "_wait", noted)  # noqa: B010 - a method of ours takes the place of theirs
    return arrived


async def post(connection: KafkaConnection, count: int, engine: Noting) -> None:
    """One conversation after the other; returns when all were called for."""
    chance = random.Random(0)
    async with AIOKafkaProducer(**connection.client_options(), acks="all") as producer:
        for number in range(count):
            conversation = a_conversation(f"conv-{number}", f"My order {number} is late and I am angry.")
            value, headers = encode(conversation, an_envelope())
            key = conversation.conversation_id.encode()
            await producer.send_and_wait(connection.topic_name(RECEIVED), value, key=key, headers=headers)
            await asyncio.sleep(chance.uniform(_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))

    async def all_started() -> bool:
        assert len(engine.started) == count
        return True

    await eventually(all_started, what="all were called for")


async def main(report: Report, options: argparse.Namespace) -> None:
    """Post to an analyzer in this process."""
    arrived, engine = note_arrivals(), Noting()
    async with topics_on(options.kafka) as connection:
        settings = AnalyzerSettings(
            kafka_bootstrap_servers=connection.bootstrap_servers,
            kafka_topic_prefix=connection.topic_prefix,
            kafka_group_prefix=connection.topic_prefix,
            port=free_port(),
        )
        stop = asyncio.Event()
        analyzer = asyncio.create_task(run_analyzer(settings, stop, lambda _: nullcontext([engine])))
        try:
            await post(connection, options.conversations, engine)
        finally:
            stop.set()
            await analyzer
    waits = sorted(engine.started[content] - at for content, at in arrived.items())
    bar = settings.window_seconds + 1 / (settings.pace * settings.calls_per_second)
    report.note(f"median {waits[len(waits) // 2]:.3f} s, longest {waits[-1]:.3f} s, of {len(waits)}")
    report.at_most("wait for the call, 95th percentile", percentile(waits, 95), bar, unit="s")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--conversations", type=int, default=60)
    run(main, parser.parse_args())
