"""What the benchmark programs share: a Kafka, rounds in the order ABBA, medians, and one line for each figure.

CPU time of the server's process is compared rather than wall clock, since other processes disturb it less; a figure is
held against a reference measured in the same run, so that the machine's speed cancels out. ABBA: what drifts during
a run (a machine that gets warm, a log that grows) falls on both sides alike.
"""

import argparse
import math
import os
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from rich.console import Console

from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from undertone.bench.target import own_topics, temporary_kafka
from undertone.embedded.reporter import ConsoleReporter
from undertone.errors import CommandError

Round = Callable[[], Awaitable[float]]


async def abba(first: Round, second: Round, rounds: int) -> tuple[list[float], list[float]]:
    """Measure two things in the order ABBA, so many times; returns what each gave."""
    firsts: list[float] = []
    seconds: list[float] = []
    for _ in range(rounds):
        for measured, gave in ((first, firsts), (second, seconds), (second, seconds), (first, firsts)):
            gave.append(await measured())
    return firsts, seconds


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """What so many percent of the values do not exceed: one that was measured, of at least one."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@dataclass
class Report:
    """Prints figures and remembers whether one missed its bar."""

    missed: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something that is judged by nobody."""
        print(f"    {text}", flush=True)

    def at_most(self, what: str, value: float, bar: float, *, unit: str = "", aim: float | None = None) -> None:
        """Print a figure that must not exceed its bar."""
        self._judge(what, value, f"at most {bar:g}", is_met=value <= bar, unit=unit, aim=aim)

    def at_least(self, what: str, value: float, bar: float, *, unit: str = "", aim: float | None = None) -> None:
        """Print a figure that must reach its bar."""
        self._judge(what, value, f"at least {bar:g}", is_met=value >= bar, unit=unit, aim=aim)

    def holds(self, what: str, *, is_met: bool, found: str) -> None:
        """Print something that must be so."""
        self._print(what, found, is_met=is_met)

    def _judge(self, what: str, value: float, bar: str, *, is_met: bool, unit: str, aim: float | None) -> None:
        shown = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
        aimed = f", aim {aim:g}" if aim is not None else ""
        self._print(what, f"{shown}{' ' + unit if unit else ''} ({bar}{aimed})", is_met=is_met)

    def _print(self, what: str, found: str, *, is_met: bool) -> None:
        print(f"{'ok  ' if is_met else 'MISS'} {what}: {found}", flush=True)
        if not is_met:
            self.missed.append(what)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that programs with a Kafka have in common."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kafka", default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), help="HOST:PORT; default: a temporary one"
    )
    return parser


@asynccontextmanager
async def topics_on(kafka: str | None) -> AsyncIterator[KafkaConnection]:
    """The contract's topics, new and empty, on the given Kafka or on one of our own."""
    if kafka is not None:
        async with own_topics(KafkaConnection(kafka)) as connection:
            yield connection
        return
    reporter = ConsoleReporter(Console(stderr=True))
    async with temporary_kafka(reporter) as temporary, own_topics(temporary) as connection:
        yield connection


def run(program: Callable[[Report, Any], Awaitable[None]], options: argparse.Namespace) -> None:
    """Run a program and end the process: 0, 1 when a bar was missed, 2 when it could not measure."""
    report = Report()

    async def whole() -> None:
        await program(report, options)

    try:
        uvloop.run(whole())
    except (CommandError, KafkaUnavailable) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if report.missed else 0)
