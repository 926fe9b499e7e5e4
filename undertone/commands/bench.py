"""`undertone bench …`: load on the pipeline, measured."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import typer
import uvloop
from rich.console import Console

from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from services.runtime.settings import SharedSettings, load_settings
from undertone.bench.ingress import IngressLoad, measure
from undertone.bench.open_files import allow_open_files
from undertone.bench.plot import svg_of
from undertone.bench.posts import DEFAULT_TEXT_BYTES, Shape
from undertone.bench.result import Result
from undertone.bench.result_files import refuse_unwritable
from undertone.bench.run import Plan
from undertone.bench.screen import Progress, print_summary
from undertone.bench.target import ServerProcess, own_ingress, own_topics, temporary_kafka
from undertone.commands.bench_pipeline import pipeline
from undertone.embedded.reporter import ConsoleReporter
from undertone.errors import CommandError, UsageProblem

_DEFAULT_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    """Mount `bench` with its subcommands."""
    bench = typer.Typer(name="bench", help="Put load on the pipeline and measure what it does.", no_args_is_help=True)
    bench.callback()(_bench)
    bench.command("ingress")(_ingress)
    bench.command("pipeline")(pipeline)
    app.add_typer(bench)


def _bench() -> None:
    """Put load on the pipeline and measure what it does."""


def _ingress(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="An ingress that runs. What it accepts is analysed like everything else. Default: its own."),
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="The Kafka behind it. Default: a temporary one, or with --url your settings'."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Open loop: requests a second. Default: a closed loop, as fast as it goes."),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=50_000, help="Connections open at once.")] = 64,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long. Default: 10, unless --requests is given.")
    ] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="How many requests.")] = None,
    shape: Annotated[
        Shape, typer.Option(help="The body: one of the three shapes, or many conversations at once.")
    ] = Shape.TURNS,
    bulk_size: Annotated[int, typer.Option(min=1, max=500, help="Conversations in a request of --shape bulk.")] = 500,
    text_bytes: Annotated[
        int, typer.Option(min=2, max=20_000, help="Length of a conversation's text.")
    ] = DEFAULT_TEXT_BYTES,
    api_key: Annotated[
        str | None, typer.Option(envvar="UNDERTONE_API_KEY", help="Key with the scope `ingest`.", show_envvar=True)
    ] = None,
    check: Annotated[bool, typer.Option(help="Read Kafka back: every 202 must be there exactly once.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here.", dir_okay=False)] = None,
    plot: Annotated[Path | None, typer.Option(help="Write latency over time here, as SVG.", dir_okay=False)] = None,
) -> None:
    """Post conversations, and hold every 202 against what Kafka has.

    Without --url it starts an ingress without rate limits, and unless --kafka is given a Kafka, both temporary.
    Latencies count from when a request was meant to be sent, so a stall of the server is not hidden.

    Exit code 1: a 202 is not in Kafka exactly once, or a request was answered with neither 202, 429 nor 503.
    """
    for path in (json_file, plot):
        refuse_unwritable(path)
    plan = Plan(rate, seconds or (None if requests else _DEFAULT_SECONDS), requests)
    asked = IngressLoad(plan, connections, shape, text_bytes, bulk_size, api_key)
    allow_open_files(connections + 200)
    console = Console(stderr=True)
    result = uvloop.run(_measure(asked, _read_url(url), kafka, console, check=check))
    print_summary(Console(), result)
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    if plot is not None:
        plot.write_text(_picture(result), encoding="utf-8")
    if result.complaints():
        raise CommandError("the ingress did not keep its word; see above")


@dataclass(frozen=True)
class _Target:
    url: SplitResult
    kafka: KafkaConnection | None
    process: ServerProcess | None


async def _measure(
    asked: IngressLoad, url: SplitResult | None, kafka: str | None, console: Console, *, check: bool
) -> Result:
    async with _target(url, kafka, console) as target:
        with Progress(console) as progress:
            return await measure(
                asked, target.url, kafka=target.kafka if check else None, process=target.process, watch=progress
            )


@asynccontextmanager
async def _target(url: SplitResult | None, kafka: str | None, console: Console) -> AsyncIterator[_Target]:
    """The ingress that runs, or one of our own."""
    if url is not None:
        yield _Target(url, _kafka_of_settings(kafka), None)
        return
    async with AsyncExitStack() as ours:
        reporter = ConsoleReporter(console)
        ours.callback(reporter.quiet)
        address = (
            await ours.enter_async_context(temporary_kafka(reporter)) if kafka is None else _kafka_of_settings(kafka)
        )
        connection = await ours.enter_async_context(own_topics(address))
        reporter.begins("ingress", "starting")
        process = await ours.enter_async_context(own_ingress(connection, {}))
        reporter.done("ingress", process.url.geturl())
        yield _Target(process.url, connection, process)


def _kafka_of_settings(address: str | None) -> KafkaConnection:
    connection = KafkaConnection.from_settings(load_settings(SharedSettings))
    return connection if address is None else replace(connection, bootstrap_servers=address)


def _read_url(text: str | None) -> SplitResult | None:
    if text is None:
        return None
    try:
        url = urlsplit(text)
        is_good = url.scheme == "http" and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        is_good = False
    if not is_good:
        raise UsageProblem(f"--url must be like http://127.0.0.1:8000, without TLS; it is {text!r}.")
    return url


def _picture(result: Result) -> str:
    asked = result.asked
    how = f"{asked['requests_per_second']:,g} requests/s" if asked["requests_per_second"] else "closed loop"
    latency = result.recorder.accepted_latency
    subtitle = (
        f"{how}, {counted(asked['connections'], 'connection')}, {asked['shape']}; "
        f"{len(result.ledger.accepted):,} accepted; "
        f"a 202 takes p50 {latency.percentile_ms(50):.1f}, p99 {latency.percentile_ms(99):.1f} ms"
    )
    return svg_of(result.recorder.slices, title="undertone bench ingress", subtitle=subtitle)
