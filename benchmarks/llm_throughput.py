"""Conversations a second of one analyzer under the limit, against a client with a semaphore and batches of five.

    python -m benchmarks.llm_throughput [--seconds 30] [--batch 25] [--kafka HOST:PORT]

Both call the same simulated LLM (0.5 s and 8 ms a token, 429 above 10 calls/s), one after the other. The client is
what is written first: ten calls at once, each with five conversations. It caps how many calls are under way, not how
many start, so that it uses a part of the limit only; and its batches are small. It spends nothing on Kafka either.
"""

import argparse
import asyncio
import itertools
import time

from benchmarks.llm_fleet_parts import fill, fleet_on
from benchmarks.llm_pace import backlog, simulator
from benchmarks.measure import Report, arguments, run, topics_on
from services.analyzer.engine import EngineError
from services.analyzer.llm.engine import LlmEngine, open_llm_engine
from services.analyzer.llm.options import LlmOptions

LIMIT = 10.0
LEAST_RATIO = 4.0
_AT_ONCE = 10
_SMALL_BATCH = 5


async def of_the_client(engine: LlmEngine, seconds: float) -> float:
    """Conversations a second of ten calls at once with five conversations each."""
    tasks, answered = backlog(), 0
    deadline = time.monotonic() + seconds

    async def call_again_and_again() -> None:
        nonlocal answered
        while time.monotonic() < deadline:
            try:
                answer = await engine.analyze(list(itertools.islice(tasks, _SMALL_BATCH)))
            except EngineError:
                await asyncio.sleep(1)
            else:
                answered += len(answer.results)

    began = time.monotonic()
    await asyncio.gather(*(call_again_and_again() for _ in range(_AT_ONCE)))
    return answered / (time.monotonic() - began)


async def main(report: Report, options: argparse.Namespace) -> None:
    """First the client, then the analyzer."""
    async with simulator(LIMIT, None) as llm, open_llm_engine(LlmOptions(base_url=f"{llm}/v1")) as engine:
        client = await of_the_client(engine, options.seconds)
    report.note(f"client: {client:,.0f} conversations/s")
    async with (
        topics_on(options.kafka) as connection,
        simulator(LIMIT, None) as llm,
        fleet_on(connection, llm, LIMIT, options.batch, {}) as fleet,
    ):
        await fill(connection, int((options.seconds + 60) * LIMIT * options.batch))
        await fleet.join()
        await fleet.dealt(*fleet.analyzers)
        await fleet.called(100)  # answers take long: as many end as start from here on
        await fleet.count_anew()
        await asyncio.sleep(options.seconds)
        calls = await fleet.counted()
    analyzer = calls.answered / calls.seconds
    report.note(f"analyzer: {analyzer:,.0f} conversations/s, {calls.in_busiest_second} calls in the busiest second")
    report.at_least("conversations a second, of the client's", analyzer / client, LEAST_RATIO)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--batch", type=int, default=25)
    run(main, parser.parse_args())
