"""`undertone produce`: events of a file into a topic, under the contract."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from schemas.event import Event
from schemas.topics import TOPICS, Topic
from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import open_publisher
from undertone.console import harmless, output, say
from undertone.errors import CommandError, UsageProblem
from undertone.ingest.opening import InputFile
from undertone.settings import load_kafka_settings
from undertone.topic_tools.naming import find_topic, find_type, short_name
from undertone.topic_tools.producing import Report, checked, numbered_lines, write
from undertone.writing import check_kafka

_EPILOG = """[bold]Examples[/bold]

  undertone produce received mine.jsonl --dry-run
  undertone tail received --from -10 --no-follow --json | undertone produce received -
  echo '{"lane": "replay", "hold_seconds": 60, "reason": "a test", "declared_by": "kim"}' |
    undertone produce control - --type hold

[dim]One JSON object a line: an event in the contract's form, or what `undertone tail --json` prints.
`undertone ingest` reads many more forms, and continues where it was interrupted.[/dim]"""
_MOST_TOLD = 10


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("produce", epilog=_EPILOG, no_args_is_help=True)(produce)


def produce(
    topic_name: Annotated[str, typer.Argument(metavar="TOPIC", help="received, replay or control.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, also gzipped; - is standard input.")],
    event_type: Annotated[
        str | None,
        typer.Option("--type", help="What the lines are, where a topic carries several.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line, and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary, for programs.")] = False,
) -> None:
    """Write events to a topic, each checked against the contract first; keys, headers and partitions as services do.

    A line that the contract refuses is told with its number and field, and left out. Exit code 1 says that there
    were such lines.
    """
    topic = _writable(find_topic(topic_name))
    event = find_type(event_type, topic) if event_type is not None else None
    report = Report(tell=_Teller())
    with _opened(file) as stream:
        asyncio.run(_produce(topic, event, stream, report, dry_run=dry_run))
    _summarise(report, topic, dry_run=dry_run, as_json=as_json)


def _writable(topic: Topic) -> Topic:
    if "operator" in topic.writers:
        return topic
    open_to_people = ", ".join(short_name(one) for one in TOPICS if "operator" in one.writers)
    raise UsageProblem(
        f"Only the {' and the '.join(topic.writers)} may write {topic.name}; people write {open_to_people}."
    )


async def _produce(
    topic: Topic, event: type[Event] | None, stream: IO[bytes], report: Report, *, dry_run: bool
) -> None:
    records = checked(numbered_lines(stream, topic.max_record_bytes), topic, event, report)
    if dry_run:
        report.written = sum(1 for _ in records)
        return
    connection = KafkaConnection.from_settings(load_kafka_settings())
    async with open_publisher(connection, linger_ms=1) as publisher:
        await check_kafka(publisher, connection, [topic])
        await write(publisher, topic, records, report)


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with InputFile(Path(file)).open() as stream:
            yield stream


class _Teller:
    """Tells the first problems one by one, as they are found."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, number: int, problem: str) -> None:
        self._told += 1
        if self._told <= _MOST_TOLD:
            say(f"line {number}: {harmless(problem)}")
        elif self._told == _MOST_TOLD + 1:
            say("… more lines are refused; they are counted.")


def _summarise(report: Report, topic: Topic, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        members = {"topic": topic.name, "dry_run": dry_run, "written": report.written, "refused": report.refused}
        print(json.dumps(members))  # noqa: T201 - for programs
    else:
        what = "would be written" if dry_run else "written"
        output().print(f"{report.written:,} {what} to {topic.name}, {report.refused:,} refused")
    if report.refused:
        raise CommandError(f"the contract refuses {counted(report.refused, 'line')}.")
