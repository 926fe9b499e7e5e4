"""Ingest a file through the command line into Postgres: conversations/s end to end, and CPU by process.

    python -m benchmarks.ingest_rate conversations.jsonl.gz

Starts a stack of its own in a temporary folder (free ports, limits off, offline engine), runs `undertone ingest` on
the file as a person would, and waits until every accepted conversation has its outcome in Postgres. The clock runs
from the start of the command to the last outcome, start-up of the command included.
"""

import argparse
import asyncio
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from rich.console import Console

from undertone.embedded.prepare import PreparedStack, StackOptions, prepared_stack
from undertone.embedded.reporter import ConsoleReporter
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.stack import Stack, running_stack

OUTCOMES = ("completed", "skipped", "failed")
LIMITS_OFF = {"ANALYZER_ENGINE": "offline", "INGRESS_REQUESTS_PER_SECOND": "0", "SINK_CLIENT_LIMIT": "off"}
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Measured:
    """One run; seconds of CPU and bytes of memory by process."""

    accepted: int
    rejected: int
    sending_seconds: float
    all_seconds: float
    cpu_seconds: Mapping[str, float]
    rss_bytes: Mapping[str, int]
    counts: Mapping[str, int]

    @property
    def rate(self) -> float:
        return self.accepted / self.all_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="conversations: JSON, JSONL or CSV; gzip accepted")
    parser.add_argument("--limit", type=int, help="stop after so many conversations")
    parser.add_argument("--to", choices=["http", "kafka"], default="http", help="how `ingest` sends them [http]")
    parser.add_argument("--at-least", type=float, default=1000.0, help="conversations/s to reach [1000]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="undertone-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # Postgres runs under an account of its own in a root shell
        reporter = ConsoleReporter(Console(stderr=True, highlight=False))
        options = StackOptions(load_stack_settings(home=Path(folder) / "home"), free_ports=True, environment=LIMITS_OFF)
        with prepared_stack(options, reporter) as prepared:
            measured = asyncio.run(_measure(arguments, prepared, reporter))
    return _print(measured, arguments.at_least)


async def _measure(arguments: argparse.Namespace, prepared: PreparedStack, reporter: ConsoleReporter) -> Measured:
    async with running_stack(prepared, reporter) as stack:
        processes = {name: psutil.Process(child.pid) for name, child in stack.children.items() if child.pid}
        before = {name: _cpu_seconds(process) for name, process in processes.items()}
        began, ingest_before = time.monotonic(), _children_seconds()
        accepted, rejected = await _ingest(arguments, stack)
        sent = time.monotonic()
        counts = await _wait_for_outcomes(stack.addresses["read_api"], accepted)
        ended = time.monotonic()
        spent = {name: _cpu_seconds(process) - before[name] for name, process in processes.items()}
        return Measured(
            accepted=accepted,
            rejected=rejected,
            sending_seconds=sent - began,
            all_seconds=ended - began,
            cpu_seconds={"ingest": _children_seconds() - ingest_before, **spent},
            rss_bytes={name: _rss_bytes(process) for name, process in processes.items()},
            counts=counts,
        )


async def _ingest(arguments: argparse.Namespace, stack: Stack) -> tuple[int, int]:
    """Run the command; return how many it accepted and rejected."""
    command = [sys.executable, "-m", "undertone", "ingest", str(arguments.file.resolve()), "--to", arguments.to]
    if arguments.limit is not None:
        command += ["--limit", str(arguments.limit)]
    addresses = {
        "UNDERTONE_API_URL": stack.addresses["ingress"],
        "KAFKA_BOOTSTRAP_SERVERS": stack.addresses["kafka"],
        "UNDERTONE_HOME": str(stack.home),
    }
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **addresses}, cwd=stack.home, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    counts = re.match(r"([\d,]+) accepted, ([\d,]+) rejected", out.decode())
    if counts is None:
        sys.exit(f"`undertone ingest` ended with {process.returncode}: {out.decode()[:500]}")
    accepted, rejected = (int(count.replace(",", "")) for count in counts.groups())
    return accepted, rejected


async def _wait_for_outcomes(read_api: str, accepted: int) -> dict[str, int]:
    """Return the counts by status once as many conversations have an outcome as were accepted."""
    finished, progressed = -1, time.monotonic()
    async with httpx.AsyncClient(base_url=read_api, timeout=30, trust_env=False) as client:
        while True:
            counts: dict[str, int] = (await client.get("/api/v1/status")).json()["conversations"]
            now_finished = sum(counts[outcome] for outcome in OUTCOMES)
            if now_finished >= accepted:
                return counts
            if now_finished > finished:
                finished, progressed = now_finished, time.monotonic()
            elif time.monotonic() - progressed > _PATIENCE_SECONDS:
                sys.exit(f"No outcome in {_PATIENCE_SECONDS:.0f} s: {counts}, {accepted} were accepted.")
            await asyncio.sleep(_POLL_SECONDS)


def _cpu_seconds(process: psutil.Process) -> float:
    """CPU of a process, of its children (Postgres has one a connection), and of those that have ended."""
    family = [process, *process.children(recursive=True)]
    times = [member.cpu_times() for member in family if member.is_running()]
    return sum(one.user + one.system for one in times) + times[0].children_user + times[0].children_system


def _children_seconds() -> float:
    """CPU of the commands that this program ran and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _rss_bytes(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _print(measured: Measured, at_least: float) -> int:
    is_exact = measured.accepted == sum(measured.counts[outcome] for outcome in OUTCOMES)
    all_cpu = sum(measured.cpu_seconds.values())
    print(f"{measured.accepted:,} accepted, {measured.rejected:,} rejected, {measured.counts}")
    print(f"sent in {measured.sending_seconds:.1f} s, all outcomes stored after {measured.all_seconds:.1f} s")
    for name, seconds in sorted(measured.cpu_seconds.items(), key=lambda entry: -entry[1]):
        memory = f"{measured.rss_bytes[name] / 1e6:5.0f} MB" if name in measured.rss_bytes else ""
        print(f"  {name:<9} {seconds / measured.accepted * 1e6:6.0f} µs CPU a conversation {seconds:7.1f} s  {memory}")
    print(
        f"  {'in all':<9} {all_cpu / measured.accepted * 1e6:6.0f} µs, {all_cpu / measured.all_seconds:.2f} cores busy"
    )
    verdict = "reached" if measured.rate >= at_least and is_exact else "MISSED"
    print(f"{measured.rate:,.0f} conversations/s end to end, at least {at_least:,.0f}: {verdict}")
    return 0 if verdict == "reached" else 1


if __name__ == "__main__":
    raise SystemExit(main())
