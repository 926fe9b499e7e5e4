"""`undertone bench pipeline`: a stack of its own, conversations through it, and what that took."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import httpx
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from undertone.bench.pipeline import Emptying, PipelineLoad, PipelineResult, measure_pipeline
from undertone.bench.result_files import refuse_unwritable
from undertone.embedded.foreground import run_in_foreground
from undertone.embedded.ports import LOOPBACK, free_port
from undertone.embedded.prepare import StackOptions
from undertone.embedded.process import Child, Command, started
from undertone.embedded.reporter import ConsoleReporter
from undertone.embedded.services import local_client
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.stack import Stack
from undertone.errors import CommandError

_PLAIN_EVERY_SECONDS = 2.0
_START_SECONDS = 20.0
_PORTS = ("ingress_port", "analyzer_port", "read_api_port", "kafka_port", "kafka_controller_port", "postgres_port")
_LIMITS_OFF = {"INGRESS_REQUESTS_PER_SECOND": "0", "API_KEYS": "", "SINK_CLIENT_LIMIT": "off"}


class Engine(StrEnum):
    """Who judges."""

    OFFLINE = "offline"
    SIMULATOR = "simulator"


def pipeline(
    *,
    conversations: Annotated[int, typer.Option(min=1, help="How many, all different.")] = 2000,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Requests at once.")] = 10,
    batch_size: Annotated[int, typer.Option(min=2, max=500, help="Conversations in a request.")] = 50,
    llm: Annotated[
        Engine, typer.Option(help="`simulator`: the LLM engine, against a local endpoint.")
    ] = Engine.OFFLINE,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here.", dir_okay=False)] = None,
) -> None:
    """Send conversations through the whole pipeline and watch the queue empty.

    Starts a Kafka, a Postgres and the three services on free ports, in a temporary folder, without rate limits at the
    ingress; an LLM's limits stay as they are set. Nothing is left, and no key in the environment is spent.
    """
    refuse_unwritable(json_file)
    console = Console(stderr=True, highlight=False)
    asked = PipelineLoad(conversations, concurrency, batch_size)
    results: list[PipelineResult] = []

    async def when_running(stack: Stack) -> int:
        with _Screen(console) as screen:
            results.append(await measure_pipeline(asked, stack.addresses, screen))
        return 0

    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # in a root shell Postgres walks here as another account
        with _engine(llm, folder) as environment:
            settings = load_stack_settings(home=folder / "stack", **{name: free_port() for name in _PORTS})
            options = StackOptions(settings, free_ports=True, environment=_LIMITS_OFF | environment)
            reporter = ConsoleReporter(console)
            try:
                code = run_in_foreground(options, reporter, when_running)
            finally:
                reporter.quiet()
    if not results:
        raise typer.Exit(code)
    _conclude(results[0], json_file)


@contextmanager
def _engine(llm: Engine, folder: Path) -> Iterator[dict[str, str]]:
    """The analyzer's settings for this engine; an endpoint that it needs runs meanwhile."""
    if llm is Engine.OFFLINE:
        yield {"ANALYZER_ENGINE": "offline"}
        return
    port = free_port()
    argv = (sys.executable, "-m", "undertone", "simulate-llm", "--port", str(port))
    child = Child(Command("simulator", argv, folder / "simulator.log", os.environ))
    try:
        child.start()
        asyncio.run(started(child, lambda: _answers(port), within_seconds=_START_SECONDS))
        yield {
            "ANALYZER_ENGINE": "llm",
            "ANALYZER_LLM_BASE_URL": f"http://{LOOPBACK}:{port}/v1",
            "XAI_API_KEY": "simulated",
        }
    finally:
        asyncio.run(child.stop())


async def _answers(port: int) -> bool:
    async with local_client() as client:
        try:
            return (await client.get(f"http://{LOOPBACK}:{port}/stats")).is_success
        except httpx.HTTPError:
            return False


class _Screen:
    """The queue as it fills and empties: live in a terminal, a line now and then in a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said_at = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, now: Emptying) -> None:
        width = max(10, self._console.width - 58)
        filled = round(width * now.queued / max(1, now.accepted))
        line = Text.assemble(
            f"{now.seconds:5.1f} s  {now.accepted:,} accepted  {now.done:,} done  {now.queued:,} queued  ",
            ("█" * filled, "yellow"),
            ("░" * (width - filled), "dim"),
        )
        if self._live is not None:
            self._live.update(line)
        elif now.seconds - self._said_at >= _PLAIN_EVERY_SECONDS:
            self._said_at = now.seconds
            self._console.print(Text(line.plain[:-width].rstrip()), soft_wrap=True)


def _conclude(result: PipelineResult, json_file: Path | None) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(result):
        table.add_row(Text(name, style="dim"), Text(value))
    Console(highlight=False).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    if not result.is_exact:
        raise CommandError("not every accepted conversation has exactly one outcome; see above")


def _rows(result: PipelineResult) -> list[tuple[str, str]]:
    analysis = result.analysis
    return [
        ("accepted", f"{result.accepted:,} in {result.sending_seconds:.1f} s"),
        ("outcomes", _listed(result.outcomes)),
        ("end to end", f"{result.all_seconds:.1f} s, {result.conversations_per_second:,.0f} conversations/s"),
        ("calls", f"{_listed(analysis.calls)}; {analysis.conversations_per_call:.1f} conversations each"),
        ("cache hits", f"{analysis.cache_hits:,}"),
        ("skips", _listed(analysis.skipped)),
        ("tokens", _listed(analysis.tokens)),
        ("cost", f"{analysis.cost_usd:.4f} USD, estimated before: {analysis.estimated_cost_usd:.4f} USD"),
    ]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "none"
