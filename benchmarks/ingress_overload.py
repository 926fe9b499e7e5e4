"""A minute at twice the capacity: only 202, 429 and 503, flat memory, and every 202 in Kafka.

The capacity is measured first, by a closed loop over as many connections. Then requests fall due twice as fast,
whether or not the ingress keeps up.

    python -m benchmarks.ingress_overload [--kafka HOST:PORT] [--seconds 60] [--connections 5000]
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from benchmarks.measure import Report, arguments, run, topics_on
from undertone.bench.ingress import IngressLoad, audited, few_pauses
from undertone.bench.ledger import Ledger
from undertone.bench.load import Load, open_load
from undertone.bench.open_files import allow_open_files
from undertone.bench.posts import NextPost
from undertone.bench.recorder import Recorder
from undertone.bench.result import ALLOWED_ANSWERS
from undertone.bench.run import Plan
from undertone.bench.stored import end_offsets
from undertone.bench.target import ServerProcess, own_ingress

CAPACITY_SECONDS = 10.0
GROWTH_MIB = 20.0


async def main(report: Report, options: argparse.Namespace) -> None:
    allow_open_files(options.connections + 500)
    async with topics_on(options.kafka) as kafka, own_ingress(kafka, {}) as ingress:
        posts = IngressLoad(Plan(requests=1)).post_maker(ingress.url)
        begin, ledger = await end_offsets(kafka), Ledger()
        async with open_load(ingress.url, options.connections) as load:
            # Over the very connections that follow: what the server keeps for each belongs to it, not to the minute.
            capacity = await _capacity(load, posts, ledger)
            report.note(f"capacity over {options.connections:,} connections: {capacity:,.0f} requests a second")
            before = ingress.memory_mib()
            with few_pauses():
                async with _memory(ingress) as seen:
                    plan = Plan(rate=2 * capacity, seconds=options.seconds, timeout_seconds=30)
                    recorder = await load.run(plan, posts, ledger)
            _report_minute(report, plan, recorder)
            found = f"{before:.0f} MiB before, {max(seen):.0f} at most, {seen[-1]:.0f} in the end"
            report.note(f"memory of the ingress: {found}")
            report.at_most("growth of memory", max(seen) - before, GROWTH_MIB, unit="MiB")
        audit = await audited(kafka, begin, ledger)
    found = f"{audit.accepted:,} accepted, {audit.missing} missing, {audit.stored_twice} twice"
    report.holds("every 202 is in Kafka exactly once", is_met=audit.is_clean, found=found)


async def _capacity(load: Load, posts: NextPost, ledger: Ledger) -> float:
    began = monotonic()
    recorder = await load.run(Plan(seconds=CAPACITY_SECONDS, timeout_seconds=30), posts, ledger)
    return recorder.answers["202"] / (monotonic() - began)


def _report_minute(report: Report, plan: Plan, recorder: Recorder) -> None:
    answers = dict(sorted(recorder.answers.items()))
    report.note(f"{plan.rate:,.0f} requests a second fell due; {recorder.never_sent:,} found no idle connection")
    accepted = recorder.answers["202"] / (plan.seconds or 1)
    report.note(
        f"{accepted:,.0f} a second were accepted; a 202 came {recorder.service_time.percentile_ms(50):,.0f} ms "
        f"after it was sent (p50), {recorder.accepted_latency.percentile_ms(50):,.0f} ms after it fell due"
    )
    report.holds("only 202, 429 and 503", is_met=set(answers) <= ALLOWED_ANSWERS, found=str(answers))


@asynccontextmanager
async def _memory(ingress: ServerProcess) -> AsyncIterator[list[float]]:
    """The ingress's memory in MiB, looked at twice a second."""
    seen = [ingress.memory_mib()]

    async def look() -> None:
        while True:
            await asyncio.sleep(0.5)
            seen.append(ingress.memory_mib())

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=5_000)
    run(main, parser.parse_args())
