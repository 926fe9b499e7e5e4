"""1,000 clients that send a byte a second: all must be closed within 10 s, and a normal client must hardly notice.

The normal client posts 300 conversations a second over 8 connections, ten seconds a round: 3,000 requests, of which
thirty are slower than the p99. Rounds beside the slow ones (from before they come until the last is closed) and rounds
without them take turns (ABBA), and the median of the rounds' p99 is compared: one stall of the machine spoils a round,
and not the figure. The slow ones live in a process of their own, lest the normal client's own waiting for the processor
be taken for the server's.

    python -m benchmarks.ingress_slow_clients [--kafka HOST:PORT] [--clients 1000] [--rounds 3]
"""

import argparse
from urllib.parse import SplitResult

from benchmarks.measure import Report, abba, arguments, median, run, topics_on
from benchmarks.slow_clients import slow_clients
from undertone.bench.histogram import Histogram
from undertone.bench.ingress import IngressLoad, few_pauses
from undertone.bench.ledger import Ledger
from undertone.bench.load import open_load
from undertone.bench.run import Plan
from undertone.bench.target import own_ingress

SECONDS = 10.0
RATE = 300.0
ALLOWED_SECONDS = 10.0


async def main(report: Report, options: argparse.Namespace) -> None:
    async with topics_on(options.kafka) as kafka, own_ingress(kafka, {}) as ingress:
        lifetimes: list[float] = []
        beside_them, alone = Histogram(), Histogram()

        async def quiet() -> float:
            return await _post(ingress.url, alone)

        async def disturbed() -> float:
            async with slow_clients(ingress.url, options.clients) as seen:
                p99_ms = await _post(ingress.url, beside_them)
            lifetimes.extend(seen)
            return p99_ms

        with few_pauses():
            await _post(ingress.url, Histogram())  # warm
            rounds = await abba(disturbed, quiet, options.rounds)
    closed = [lifetime for lifetime in lifetimes if lifetime <= ALLOWED_SECONDS]
    found = f"{len(closed):,} of {len(lifetimes):,}, the last after {max(lifetimes):.1f} s"
    what = f"{options.clients:,} slow clients are closed within {ALLOWED_SECONDS:g} s"
    report.holds(what, is_met=len(closed) == len(lifetimes), found=found)
    _report_waiting(report, beside_them, alone, rounds)


def _report_waiting(
    report: Report, beside_them: Histogram, alone: Histogram, rounds: tuple[list[float], list[float]]
) -> None:
    for name, histogram, each in zip(("beside them", "quiet"), (beside_them, alone), rounds, strict=True):
        of_rounds = ", ".join(f"{p99_ms:.1f}" for p99_ms in each)
        report.note(
            f"a normal client waits p50 {histogram.percentile_ms(50):.1f} ms, p99 {histogram.percentile_ms(99):.1f} ms "
            f"{name} ({histogram.count:,} requests); p99 of each round: {of_rounds}, their median {median(each):.1f} ms"
        )
    beside, quiet = map(median, rounds)
    report.at_most("p99 beside slow clients ÷ quiet, of medians", beside / quiet, 2)


async def _post(url: SplitResult, waited: Histogram) -> float:
    """Be the normal client for one round; returns its p99 in milliseconds."""
    async with open_load(url, 8) as load:
        posts = IngressLoad(Plan(requests=1)).post_maker(url)
        recorder = await load.run(Plan(rate=RATE, seconds=SECONDS), posts, Ledger())
    waited.add_all(recorder.latency)
    return recorder.latency.percentile_ms(99)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="of ABBA")
    run(main, parser.parse_args())
