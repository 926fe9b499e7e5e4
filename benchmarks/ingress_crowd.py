"""Many connections: 10,000 conversations over 5,000 of them at once, and 10,000 that are open and idle.

Allowed answers are 202, 429 and 503, and each 202 must be in Kafka. Memory is that of the ingress.

    python -m benchmarks.ingress_crowd [--kafka HOST:PORT]
"""

import argparse

from benchmarks.measure import Report, arguments, run, topics_on
from undertone.bench.ingress import IngressLoad, audited
from undertone.bench.ledger import Ledger
from undertone.bench.load import open_load
from undertone.bench.open_files import allow_open_files
from undertone.bench.result import ALLOWED_ANSWERS
from undertone.bench.run import Plan
from undertone.bench.stored import end_offsets
from undertone.bench.target import own_ingress

CONNECTIONS, CONVERSATIONS = 5_000, 10_000
IDLE = 10_000
IDLE_MIB = 1024


async def main(report: Report, options: argparse.Namespace) -> None:
    allow_open_files(IDLE + 500)
    async with topics_on(options.kafka) as kafka, own_ingress(kafka, {}) as ingress:
        posts = IngressLoad(Plan(requests=1)).post_maker(ingress.url)
        begin, ledger = await end_offsets(kafka), Ledger()
        async with open_load(ingress.url, CONNECTIONS) as load:
            report.note(f"{load.connections:,} connections open, {load.failed_to_open} were not taken")
            crowd = await load.run(Plan(requests=CONVERSATIONS, timeout_seconds=30), posts, ledger)
        answers = dict(sorted(crowd.answers.items()))
        only_allowed = set(answers) <= ALLOWED_ANSWERS
        what = f"{CONVERSATIONS:,} conversations over {CONNECTIONS:,} connections"
        report.holds(f"{what}: only 202, 429 and 503", is_met=only_allowed, found=str(answers))
        report.note(
            f"a 202 took p50 {crowd.accepted_latency.percentile_ms(50):.0f} ms, "
            f"p99 {crowd.accepted_latency.percentile_ms(99):.0f} ms"
        )
        audit = await audited(kafka, begin, ledger)
        found = f"{audit.accepted:,} accepted, {audit.missing} missing, {audit.stored_twice} twice"
        report.holds(f"{what}: each 202 is in Kafka", is_met=audit.is_clean and audit.accepted > 0, found=found)
        async with open_load(ingress.url, IDLE) as load:
            # Each has posted once: a connection that never asks for anything is closed after a few seconds.
            await load.run(Plan(requests=IDLE, timeout_seconds=30), posts, ledger)
            found = f"{load.connections:,}"
            report.holds(f"{IDLE:,} idle connections stay open", is_met=load.connections == IDLE, found=found)
            report.at_most(f"memory with {IDLE:,} idle connections", ingress.memory_mib(), IDLE_MIB, unit="MiB")


if __name__ == "__main__":
    run(main, arguments(__doc__).parse_args())
