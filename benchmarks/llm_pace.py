"""Calls of the LLM engine at the analyzer's pace, as the endpoint counts their arrival; without Kafka around them.

A backlog that never ends is sent in batches to a simulated LLM in a process of its own, which answers 429 above the
limit and counts arrivals in every sliding second. What is measured is the way from a granted permit to the endpoint:
connections, the event loop, and the CPU that prompts and answers take in between.

    python -m benchmarks.llm_pace [--seconds 60] [--calls-per-second 10] [--batch 25] [--answer-seconds 10]
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measure import Report, run
from schemas.conversation_received import Turn, content_hash_of
from services.analyzer.engine import EngineError, PreparedCall, Task
from services.analyzer.llm.engine import LlmEngine, open_llm_engine
from services.analyzer.llm.options import LlmOptions
from services.analyzer.pacing import CallPermit, Clocks, Pacer
from undertone.errors import CommandError

SAMPLE = Path(__file__).parent.parent / "undertone" / "sample" / "sample_conversations.jsonl"
PACE = 0.95
PARTITIONS = 12


def backlog() -> Iterator[Task]:
    """The sample's conversations over and over, each time a little different, so that none is a twin."""
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    for round_number in itertools.count():
        for row in rows:
            turns = tuple(Turn(role=turn["role"], text=turn["text"]) for turn in row["turns"][:5])
            turns += (Turn(text=f"My reference is {round_number}-{row['conversation_id']}, please look it up."),)
            yield Task(f"{row['conversation_id']}-{round_number}", content_hash_of(turns), turns)


@asynccontextmanager
async def simulator(calls_per_second: float, latency_seconds: float | None) -> AsyncIterator[str]:
    """A simulated LLM in a process of its own; its address."""
    options = ["--port", "0", "--calls-per-second", str(calls_per_second)]
    if latency_seconds is not None:
        options += ["--latency-seconds", str(latency_seconds), "--seconds-per-output-token", "0"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "undertone", "simulate-llm", *options, stdout=asyncio.subprocess.PIPE
    )
    with suppress(PermissionError):  # an arrival that is seen late would be counted in a second that it was not in
        os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            words = (await process.stdout.readline()).decode().split()
        if not words:
            raise CommandError("the simulated LLM did not start")
        yield words[2].removesuffix("/v1")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def call_for(engine: LlmEngine, pacer: Pacer, seconds: float, batch_size: int) -> Counter[str]:
    """Send batches whenever the pacer permits, for so long; how the calls ended."""
    outcomes: Counter[str] = Counter()
    tasks = backlog()

    async def call(prepared: PreparedCall, permit: CallPermit) -> None:
        while wait := pacer.start(permit):  # noqa: ASYNC110 - time decides, nobody could set an event
            await asyncio.sleep(wait)
        try:
            answer = await prepared(lambda: pacer.sent(permit))
        except EngineError as error:
            outcomes[type(error).__name__] += 1
        else:
            outcomes["answered"] += 1
            outcomes["conversations"] += len(answer.results)

    began = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        while (now := time.monotonic()) < began + seconds:
            pacer.note_heartbeat(now)
            permit = pacer.take()
            if permit is not None:
                prepared = engine.prepare(list(itertools.islice(tasks, batch_size)))
                calls.create_task(call(prepared, permit))
                continue
            await asyncio.sleep(min(pacer.delay() or 0.0, 1.0))
    return outcomes


async def main(report: Report, options: argparse.Namespace) -> None:
    for name, latency in (("0.5 s and 8 ms a token", None), (f"{options.answer_seconds:g} s", options.answer_seconds)):
        report.note(f"answers take {name}, batches of {options.batch}, for {options.seconds:g} s")
        await _measure(report, options, latency)


async def _measure(report: Report, options: argparse.Namespace, latency: float | None) -> None:
    limit = options.calls_per_second
    pacer = Pacer(calls_per_second=limit, pace=PACE, clocks=Clocks(time.monotonic, time.time))
    pacer.set_share(range(PARTITIONS), PARTITIONS)
    async with simulator(limit, latency) as address:
        llm = LlmOptions(base_url=f"{address}/v1")
        async with open_llm_engine(llm) as engine, httpx.AsyncClient(base_url=address) as operator:
            await engine.warm(int(limit))
            cpu = time.process_time()
            outcomes = await call_for(engine, pacer, options.seconds, options.batch)
            cpu = time.process_time() - cpu
            stats: dict[str, Any] = (await operator.get("/stats")).json()
    calls, tokens = stats["calls"], stats["tokens"]
    report.at_least("part of the limit that was used", calls["total"] / (limit * options.seconds), 0.93)
    report.at_most("calls in the busiest sliding second", calls["most_in_a_second"], limit)
    report.at_most("part of the calls answered 429", outcomes["EngineLimited"] / calls["total"], 0.001)
    report.at_most("fixed instructions, part of all tokens", _instructions_part(tokens), 0.1)
    report.note(f"{dict(outcomes)}, most in progress {calls['most_in_progress']}, {stats['cost_usd']:.2f} US dollars")
    conversations = max(1, outcomes["conversations"])
    report.note(f"{conversations / options.seconds:,.0f} conversations/s, {cpu / conversations * 1e6:,.0f} us CPU each")


def _instructions_part(tokens: dict[str, int]) -> float:
    return tokens["instructions"] / max(1, tokens["prompt"] + tokens["completion"])


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # results that are refused would fill the screen
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calls-per-second", type=float, default=10)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--answer-seconds", type=float, default=10)
    run(main, parser.parse_args())
