"""What one accepted conversation costs the ingress, as a ratio to a bare endpoint measured in the same run.

The reference validates the same body with FastAPI and pydantic and talks to no Kafka; the ingress answers 202 after
acks=all. Compared is the CPU time of the server's process for each request. Every 202 is looked for in Kafka.

    python -m benchmarks.ingress_cost [--kafka HOST:PORT] [--requests 8000] [--rounds 3]
"""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.measure import Report, abba, arguments, median, run, topics_on
from services.runtime.kafka import KafkaConnection
from undertone.bench.ingress import IngressLoad, audited
from undertone.bench.ledger import Ledger
from undertone.bench.load import open_load
from undertone.bench.open_files import allow_open_files
from undertone.bench.posts import Shape
from undertone.bench.run import Plan
from undertone.bench.stored import Offsets, end_offsets
from undertone.bench.target import ServerProcess, own_ingress, server_process
from undertone.embedded.ports import free_port
from undertone.errors import CommandError

BULK_SIZE = 500
FEW, MANY = 64, 1024


async def main(report: Report, options: argparse.Namespace) -> None:
    allow_open_files(MANY + 200)
    async with (
        topics_on(options.kafka) as kafka,
        own_ingress(kafka, {}) as ingress,
        reference() as bare,
        reference("--unread") as floor,
    ):
        begin, ledger = await end_offsets(kafka), Ledger()
        await _single(report, options, Measured(ingress, ledger), Measured(bare, Ledger()))
        await _floor(report, options, Measured(floor, Ledger()))
        await _bulk(report, options, Measured(ingress, ledger))
        await _report_audit(report, kafka, begin, ledger)


class Measured:
    """A server under load; `ledger` collects what it has said."""

    def __init__(self, server: ServerProcess, ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger

    async def cpu_us_per_request(
        self, requests: int, connections: int, shape: Shape = Shape.TEXT, bulk_size: int = BULK_SIZE
    ) -> float:
        """CPU microseconds for one request, in a closed loop. Raises CommandError when one is not answered 202."""
        posts = IngressLoad(Plan(requests=requests), shape=shape, bulk_size=bulk_size).post_maker(self._server.url)
        async with open_load(self._server.url, connections) as load:
            before = self._server.cpu_seconds()
            recorder = await load.run(Plan(requests=requests, timeout_seconds=30), posts, self._ledger)
            used = self._server.cpu_seconds() - before
        if recorder.answers != {"202": requests}:
            raise CommandError(f"not every request was answered 202: {dict(recorder.answers)}")
        return used / requests * 1e6


@asynccontextmanager
async def reference(*options: str) -> AsyncIterator[ServerProcess]:
    """The bare endpoint."""
    port = free_port()
    command = (sys.executable, "-m", "benchmarks.reference_endpoint", "--port", str(port), *options)
    async with server_process(command, "reference", port, {}) as server:
        yield server


async def _single(report: Report, options: argparse.Namespace, ingress: Measured, bare: Measured) -> None:
    for server in (bare, ingress):  # warm
        await server.cpu_us_per_request(2000, FEW)
    costs, bare_costs = await abba(
        lambda: ingress.cpu_us_per_request(options.requests, FEW),
        lambda: bare.cpu_us_per_request(options.requests, FEW),
        options.rounds,
    )
    report.note(f"bare FastAPI + pydantic without Kafka: {_spread(bare_costs)} µs CPU a request")
    report.note(f"ingress, 202 after acks=all:           {_spread(costs)} µs CPU a request")
    ratios = _ratios(costs, bare_costs)
    report.note(f"the one ÷ the other, of neighbours:    {_spread(ratios, 2)}")
    report.at_most("one durable 202 ÷ bare endpoint", median(ratios), 0.85, aim=0.35)
    few, many = await abba(
        lambda: ingress.cpu_us_per_request(options.requests, FEW),
        lambda: ingress.cpu_us_per_request(options.requests, MANY),
        max(1, options.rounds // 2),
    )
    report.at_most(f"one 202 at {MANY:,} connections ÷ at {FEW}", median(_ratios(many, few)), 1.5)


def _ratios(costs: Sequence[float], references: Sequence[float]) -> list[float]:
    """Each measurement by the one that was made beside it, since a machine's speed changes in the course of a run."""
    return [cost / reference for cost, reference in zip(costs, references, strict=True)]


def _spread(values: Sequence[float], digits: int = 0) -> str:
    """The median and the range."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


async def _floor(report: Report, options: argparse.Namespace, floor: Measured) -> None:
    """Say what the server alone costs, so that it is known what is left to save."""
    await floor.cpu_us_per_request(2000, FEW)
    costs = [await floor.cpu_us_per_request(options.requests, FEW) for _ in range(options.rounds)]
    report.note(f"uvicorn alone, which reads nothing:    {_spread(costs)} µs CPU a request: the floor")


async def _bulk(report: Report, options: argparse.Namespace, ingress: Measured) -> None:
    requests = max(20, options.requests // 100)
    await ingress.cpu_us_per_request(20, 4, Shape.BULK)
    costs = [await ingress.cpu_us_per_request(requests, 4, Shape.BULK) / BULK_SIZE for _ in range(2 * options.rounds)]
    report.note(f"bulk, {BULK_SIZE} a request:               {_spread(costs, 1)} µs CPU a conversation")
    report.at_most(f"bulk, {BULK_SIZE} a request: CPU a conversation", median(costs), 10, unit="µs")


async def _report_audit(report: Report, kafka: KafkaConnection, begin: Offsets, ledger: Ledger) -> None:
    audit = await audited(kafka, begin, ledger)
    report.holds(
        "every 202 is in Kafka exactly once",
        is_met=audit.is_clean and not ledger.contradictions,
        found=f"{audit.accepted:,} accepted, {audit.missing} missing, {audit.stored_twice} twice",
    )


def options() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--requests", type=int, default=8000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of ABBA")
    return parser.parse_args()


if __name__ == "__main__":
    run(main, options())
