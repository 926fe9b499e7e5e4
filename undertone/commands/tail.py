"""`undertone tail`: a topic as it fills, decoded."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from services.runtime.kafka import KafkaConnection
from undertone.console import is_json_escaped, output
from undertone.settings import load_kafka_settings
from undertone.topic_tools.decoding import Decoded, Wanted, as_members, decoded
from undertone.topic_tools.lines import line_of
from undertone.topic_tools.naming import find_topic, find_type
from undertone.topic_tools.reading import Reading, read
from undertone.topic_tools.starting import parse_start

_EPILOG = """[bold]Examples[/bold]

  undertone tail analyzed --sentiment negative
  undertone tail received --from 2h --conversation conv_1 --no-follow
  undertone tail dead-letter --from beginning --no-words
  undertone tail received --from -100 --no-follow --json > some.jsonl

[dim]Topics hold what customers wrote: --no-words shows everything else, for screens that others see.[/dim]"""


class Sentiment(StrEnum):
    """How a customer felt."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("tail", epilog=_EPILOG, no_args_is_help=True)(tail)


def tail(  # noqa: PLR0917 - typer reads options from parameters
    topic_name: Annotated[
        str, typer.Argument(metavar="TOPIC", help="received, replay, analyzed, started, control or dead-letter.")
    ],
    start: Annotated[
        str, typer.Option("--from", help="beginning, latest, 24h, a time, an offset, or -10: the last 10 a partition.")
    ] = "latest",
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C, or end at the end.")] = True,
    conversation: Annotated[str | None, typer.Option(help="Only this conversation's.", show_default=False)] = None,
    channel: Annotated[str | None, typer.Option(help="Only those of this channel.", show_default=False)] = None,
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only insights that felt so.", show_default=False)] = None,
    event_type: Annotated[
        str | None,
        typer.Option("--type", help="Only such events: insight, conversation.skipped, …", show_default=False),
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
    with_words: Annotated[bool, typer.Option("--words/--no-words", help="Show what customers wrote.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for pipes.")] = False,
) -> None:
    """Watch a topic: every record decoded, or why it cannot be. Nobody's position moves by it.

    KAFKA_BOOTSTRAP_SERVERS says where; by default the stack that runs here.
    """
    topic = find_topic(topic_name)
    event = find_type(event_type, topic) if event_type is not None else None
    wanted = Wanted(conversation, channel, sentiment.value if sentiment else None, event)
    reading = Reading(topic, parse_start(start, datetime.now(UTC)), partition, follow)
    connection = KafkaConnection.from_settings(load_kafka_settings())
    printer = _Printer(as_json=as_json, with_words=with_words)
    try:
        asyncio.run(_tail(connection, reading, wanted, printer, limit))
    except KeyboardInterrupt:  # the way in which following ends
        raise typer.Exit from None


async def _tail(
    connection: KafkaConnection, reading: Reading, wanted: Wanted, printer: "_Printer", limit: int | None
) -> None:
    left = limit
    async for records in read(connection, reading):
        for record in records:
            one = decoded(record, reading.topic)
            if not wanted.admits(one):
                continue
            printer.print(one)
            left = None if left is None else left - 1
            if left == 0:
                return
        sys.stdout.flush()


class _Printer:
    def __init__(self, *, as_json: bool, with_words: bool) -> None:
        self._as_json = as_json
        self._with_words = with_words
        self._is_terminal = output().is_terminal

    def print(self, one: Decoded) -> None:
        if self._as_json:
            members = as_members(one, with_words=self._with_words)
            # Non-ASCII characters are escaped on a terminal: some of them are orders to it.
            print(json.dumps(members, ensure_ascii=is_json_escaped()))  # noqa: T201 - for programs
        elif self._is_terminal:
            output().print(line_of(one, with_words=self._with_words), no_wrap=True, overflow="ellipsis")
        else:
            print(line_of(one, with_words=self._with_words).plain)  # noqa: T201 - a pipe has no width
