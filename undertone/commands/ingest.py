"""`undertone ingest`: files of conversations into the pipeline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import Enum, StrEnum, auto
from pathlib import Path
from typing import Annotated

import httpx
import typer

from undertone.console import tell
from undertone.embedded.settings import load_stack_settings
from undertone.errors import UsageProblem
from undertone.ingest.http_sender import TIMEOUT, HttpSender
from undertone.ingest.job import Job, Summary, ingest_files
from undertone.ingest.report import check_report_path, first_problem
from undertone.ingest.run import Options
from undertone.ingest.sending import Sender
from undertone.ingest.tweets import COLUMNS
from undertone.settings import CommandLineSettings, api_key, asks_proxy, ingress_url, key_headers, load_kafka_settings
from undertone.times import describe_seconds, parse_duration

_EPILOG = f"""[bold]What files hold[/bold]

  JSONL  a conversation a line, as `POST /api/v1/conversations` takes it:
         {{"conversation_id": "a-1", "turns": [{{"text": "…"}}]}}
         or {{"text": "…"}} alone
  JSON   an array of such conversations, or one
  CSV    only "Customer Support on Twitter" of Kaggle, with the columns
         {", ".join(COLUMNS[:4])},
         {", ".join(COLUMNS[4:])}

[bold]Examples[/bold]

  undertone ingest conversations.jsonl.gz --spread 7d
  undertone ingest twcs.csv --shift-to-now --limit 10000
  undertone ingest doubtful.jsonl --dry-run
  undertone ingest last-year.jsonl.gz --bulk

[dim]An interrupted ingest continues when the same command is given again.
Ingesting a file twice is harmless: what is there already does not change.[/dim]"""


class Destination(StrEnum):
    """How conversations travel."""

    HTTP = "http"
    KAFKA = "kafka"


class Route(Enum):
    """By what way, and onto which lane."""

    HTTP = auto()
    KAFKA = auto()
    BULK = auto()


class Format(StrEnum):
    """What a file holds."""

    AUTO = "auto"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("ingest", epilog=_EPILOG, no_args_is_help=True)(ingest)


def ingest(  # noqa: PLR0917 - typer reads options from parameters
    files: Annotated[
        list[Path], typer.Argument(help="JSON, JSONL, or Kaggle's Twitter CSV; gzip is recognised.", show_default=False)
    ],
    to: Annotated[
        Destination | None,
        typer.Option(help="Post to the ingress (http), or write Kafka's topic.", show_default=False),
    ] = None,
    api_url: Annotated[
        str | None, typer.Option(help="The ingress. Default: the stack that runs here.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option("--api-key", help="Better: UNDERTONE_API_KEY in the environment.", show_default=False)
    ] = None,
    format_name: Annotated[
        Format, typer.Option("--format", help="What the files hold; csv is the Twitter CSV.")
    ] = Format.AUTO,
    spread: Annotated[
        str | None, typer.Option(help="Date undated conversations over the last 7d, 24h, …", show_default=False)
    ] = None,
    shift_to_now: Annotated[
        bool,
        typer.Option(
            "--shift-to-now",
            help="Move all dates: the newest is now, of those not in the future. --spread dates the undated.",
        ),
    ] = False,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Behind live traffic, on the replay lane: written to Kafka itself.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many conversations.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every conversation, send nothing.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an interrupted ingest of these files.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where rejected entries are listed.", show_default=False)] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=500, help="Conversations a request.")] = 200,
    in_flight: Annotated[int, typer.Option(min=1, max=64, help="Requests under way at once.")] = 4,
) -> None:
    """Send the conversations of files; exit code 1 when some were rejected (a report lists them with their lines)."""
    settings = load_kafka_settings()
    route = _route(to, is_bulk=bulk, has_http_options=api_url is not None or key is not None)
    if report is not None:
        check_report_path(report, files)
    job = Job(
        files=files,
        destination=ingress_url(api_url, settings) if route is Route.HTTP else _kafka_destination(settings, route),
        state_folder=load_stack_settings().home / "ingest",
        report_path=report,
        format_name=format_name.value,
        spread=parse_duration(spread, "--spread") if spread is not None else timedelta(0),
        shift_to_now=shift_to_now,
        limit=limit,
        restart=restart,
        is_dry_run=dry_run,
        options=Options(batch_size, in_flight),
    )
    raise typer.Exit(_run(job, route, settings, key))


def _route(to: Destination | None, *, is_bulk: bool, has_http_options: bool) -> Route:
    """How conversations travel. Raises UsageProblem: the ingress writes to the live lane only."""
    if (is_bulk or to is Destination.KAFKA) and has_http_options:
        raise UsageProblem(
            "--api-url and --api-key are for posting to the ingress; --bulk and --to kafka post nothing."
        )
    if is_bulk and to is Destination.HTTP:
        raise UsageProblem("--bulk writes to Kafka itself, and --to http posts to the ingress; leave out one of them.")
    if is_bulk:
        return Route.BULK
    return Route.KAFKA if to is Destination.KAFKA else Route.HTTP


def _kafka_destination(settings: CommandLineSettings, route: Route) -> str:
    place = f"{settings.kafka_bootstrap_servers}/{settings.kafka_topic_prefix}"
    return f"{place} (bulk)" if route is Route.BULK else place


def _run(job: Job, route: Route, settings: CommandLineSettings, key: str | None) -> int:
    summary = Summary()

    async def run() -> None:
        async with _sender(job, route, settings, key) as sender:
            await ingest_files(job, sender, summary)

    try:
        asyncio.run(run())
    except BaseException:
        if summary.sent or summary.rejected:
            _print(summary, job, is_complete=False)
        raise
    _print(summary, job, is_complete=True)
    return 1 if summary.rejected else 0


@asynccontextmanager
async def _sender(job: Job, route: Route, settings: CommandLineSettings, key: str | None) -> AsyncIterator[Sender]:
    if job.is_dry_run:
        from undertone.ingest.kafka_sender import DrySender  # noqa: PLC0415 - needs the ingress's packages

        yield DrySender()
    elif route is not Route.HTTP:
        from undertone.ingest.kafka_sender import open_kafka_sender  # noqa: PLC0415 - needs the ingress's packages

        async with open_kafka_sender(settings, is_bulk=route is Route.BULK) as sender:
            yield sender
    else:
        headers = key_headers(api_key(key, settings))
        async with httpx.AsyncClient(
            base_url=job.destination, headers=headers, timeout=TIMEOUT, trust_env=asks_proxy(job.destination)
        ) as client:
            yield HttpSender(client)


def _print(summary: Summary, job: Job, *, is_complete: bool) -> None:
    rate = summary.sent / summary.seconds if summary.seconds else 0.0
    what = "would be accepted" if job.is_dry_run else "accepted"
    line = f"{summary.accepted:,} {what}, {summary.rejected:,} rejected"
    line += f" · {describe_seconds(summary.seconds)}, {rate:,.0f} conversations/s"
    tell(line)
    for path in summary.empty:
        tell(f"{path} holds no conversations.")
    for path in summary.reports:
        tell(f"First problem: {first_problem(path)}")
        tell(f"All that was rejected, and why: {path}")
    if not is_complete:
        tell("Not complete: the same command continues where this one stopped.")
