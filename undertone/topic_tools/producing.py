"""Lines of a file into a topic: those that the contract takes, in order; the others are told and left out."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from schemas.event import Event
from schemas.topics import Topic
from services.runtime.kafka import KafkaUnavailable
from services.runtime.publisher import EventPublisher, Published, RecordRefused, resolved
from undertone.errors import CommandError
from undertone.topic_tools.checking import Ready, Refused, check

_SENT_TOGETHER = 500
_DEADLINE_SECONDS = 60.0


def _tell_nobody(number: int, problem: str) -> None:
    """Only the counts matter."""
    del number, problem


@dataclass(slots=True)
class Report:
    """What became of the lines; `tell` hears the number of each that is refused, and what is wrong with it."""

    written: int = 0
    refused: int = 0
    last_written: int = 0
    """The number of the last line that Kafka has."""
    tell: Callable[[int, str], None] = _tell_nobody

    def refuse(self, number: int, problem: str) -> None:
        self.refused += 1
        self.tell(number, problem)


def numbered_lines(stream: IO[bytes], most_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Every line that is not empty, with its number from 1; None for one that is longer than `most_bytes`."""
    number = 0
    while line := stream.readline(most_bytes + 2):
        number += 1
        is_too_long = len(line.rstrip(b"\r\n")) > most_bytes
        while is_too_long and line and not line.endswith(b"\n"):
            line = stream.readline(most_bytes)
        if is_too_long:
            yield number, None
        elif line.strip():
            yield number, line


def checked(
    lines: Iterable[tuple[int, bytes | None]], topic: Topic, event_type: type[Event] | None, report: Report
) -> Iterator[tuple[int, Ready]]:
    """The records that the contract takes, with the numbers of their lines."""
    for number, line in lines:
        if line is None:
            report.refuse(number, f"it is longer than {topic.max_record_bytes:,} bytes")
            continue
        try:
            yield number, check(line, topic, event_type, datetime.now(UTC))
        except Refused as problem:
            report.refuse(number, str(problem))


async def write(publisher: EventPublisher, topic: Topic, records: Iterable[tuple[int, Ready]], report: Report) -> None:
    """Write the records, up to 500 under way at a time. Raises CommandError when Kafka stops acknowledging."""
    together: list[tuple[int, Ready]] = []
    for numbered in records:
        together.append(numbered)
        if len(together) == _SENT_TOGETHER:
            await _write_together(publisher, topic, together, report)
            together.clear()
    await _write_together(publisher, topic, together, report)


async def _write_together(
    publisher: EventPublisher, topic: Topic, together: list[tuple[int, Ready]], report: Report
) -> None:
    sends: list[tuple[int, asyncio.Future[Published]]] = []
    for number, ready in together:
        try:
            sends.append((number, await publisher.enqueue(topic, ready.key, ready.value, ready.headers)))
        except RecordRefused as error:
            report.refuse(number, f"Kafka refuses it: {error}")
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            for number, future in sends:
                await _await_one(number, future, report)
    except (KafkaUnavailable, TimeoutError) as error:
        first, last = together[0][0], together[-1][0]
        raise CommandError(
            f"Kafka stopped acknowledging: of the lines {first} to {last} it is unknown which were written; "
            f"{report.written:,} were, up to line {report.last_written}."
        ) from error


async def _await_one(number: int, future: asyncio.Future[Published], report: Report) -> None:
    try:
        await resolved(future)
    except RecordRefused as error:
        report.refuse(number, f"Kafka refuses it: {error}")
    else:
        report.written += 1
        report.last_written = number
