"""Reading Kafka's logs for a replay: without a group, what is committed only, from one offset to another."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.codec import RawRecord
from schemas.topics import RECEIVED, Topic
from services.runtime.kafka import KafkaConnection, raw_record
from services.runtime.topic_logs import open_reader, partitions_of
from undertone.absent import no_kafka, no_topic
from undertone.errors import CommandError

_POLL_MILLISECONDS = 500
_MOST_RECORDS = 1_000
SILENCE_SECONDS = 90.0
"""Without a record or the end; longer than a killed replay's open transaction can hide what others wrote."""


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of a partition: records to be sent stand from `first` up to, without, `until`; the log goes to `end`."""

    first: int
    until: int
    end: int


async def partitions(connection: KafkaConnection, topic: Topic) -> list[TopicPartition]:
    """The topic's partitions. Raises CommandError when there is no such topic."""
    name = connection.topic_name(topic)
    found = sorted(await partitions_of(connection, [name]))
    if not found:
        raise no_topic(connection, topic)
    return found


async def cluster_id(connection: KafkaConnection) -> str | None:
    """Which Kafka it is, whatever its address: made with its data, so a new one has another. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        found: str | None = (await admin.describe_cluster()).get("cluster_id")
    finally:
        await admin.close()
    return found


async def log_ends(connection: KafkaConnection, topic: Topic) -> dict[int, int]:
    """Where each partition ends, with whatever is under way: nothing before is written from now on."""
    places = await partitions(connection, topic)
    async with open_reader(connection, committed=False) as reader:
        return {place.partition: end for place, end in (await reader.end_offsets(places)).items()}


async def log_beginnings(connection: KafkaConnection, topic: Topic) -> dict[int, int]:
    """The oldest offset that each partition keeps."""
    places = await partitions(connection, topic)
    async with open_reader(connection) as reader:
        return {place.partition: first for place, first in (await reader.beginning_offsets(places)).items()}


async def spans(connection: KafkaConnection, since: datetime | None, until: datetime | None) -> dict[int, Span]:
    """What Kafka received in a time, by its own clock; None: from the oldest that it keeps, up to the newest."""
    places = await partitions(connection, RECEIVED)
    async with open_reader(connection) as reader:
        ends = await reader.end_offsets(places)
        firsts = await reader.beginning_offsets(places)
        if since is not None:
            firsts = await _at(reader, since, ends)
        untils = ends if until is None else await _at(reader, until, ends)
    return {place.partition: Span(firsts[place], untils[place], ends[place]) for place in places}


async def _at(reader: Any, moment: datetime, ends: Mapping[Any, int]) -> dict[Any, int]:
    milliseconds = max(0, int(moment.timestamp() * 1000))
    found = await reader.offsets_for_times(dict.fromkeys(ends, milliseconds))
    return {place: end if found[place] is None else min(found[place].offset, end) for place, end in ends.items()}


class SpanReader:
    """Reads spans one after the other, in any order; get one from `open_span_reader`."""

    def __init__(self, reader: Any, topic: Topic, places: Mapping[int, Any], ranges: Mapping[int, range]) -> None:
        self._reader = reader
        self._topic = topic
        self._places = places
        self._ranges = ranges

    async def read(self, partition: int) -> AsyncIterator[list[RawRecord]]:
        """The records of the partition's span. Raises CommandError when Kafka falls silent."""
        if partition not in self._places:
            return
        place, offsets = self._places[partition], self._ranges[partition]
        self._reader.resume(place)
        position = offsets.start
        while position < offsets.stop:
            batch, position = await _poll(self._reader, place, position)
            records = [raw_record(one, self._topic) for one in batch if one.offset < offsets.stop]
            if records:
                yield records
        self._reader.pause(place)


@asynccontextmanager
async def open_span_reader(
    connection: KafkaConnection, topic: Topic, ranges: Mapping[int, range]
) -> AsyncIterator[SpanReader]:
    """A reader of these offsets of each partition, of what is committed.

    All partitions are assigned once, and those that are not read are paused: aiokafka 0.14 never ends a consumer that
    is stopped right after it was assigned something else (its fetcher swallows the cancellation).
    """
    name = connection.topic_name(topic)
    places = {number: TopicPartition(name, number) for number, offsets in ranges.items() if offsets}
    async with open_reader(connection) as reader:
        if places:
            reader.assign(list(places.values()))
            for number, place in places.items():
                reader.seek(place, ranges[number].start)
                reader.pause(place)
        yield SpanReader(reader, topic, places, ranges)


async def _poll(reader: Any, place: Any, position: int) -> tuple[list[Any], int]:
    """Records of one partition, and where to go on. Raises CommandError when neither changes for too long."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SILENCE_SECONDS
    while True:
        found = await reader.getmany(place, timeout_ms=_POLL_MILLISECONDS, max_records=_MOST_RECORDS)
        now_at = await reader.position(place)
        if found.get(place) or now_at != position:
            return found.get(place, []), now_at
        if clock() > deadline:
            raise CommandError(
                f"Kafka sent nothing of {place.topic} partition {place.partition} from offset {position} for "
                f"{SILENCE_SECONDS:.0f} s; try again."
            )


@asynccontextmanager
async def explained(connection: KafkaConnection) -> AsyncIterator[None]:
    """Errors of Kafka as one sentence: CommandError."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise no_kafka(connection, error) from error
