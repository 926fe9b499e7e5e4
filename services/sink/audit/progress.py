"""How far everybody has read, asked in an order in which nothing that is merely on its way looks lost."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.codec import RawRecord
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, REPLAY, Topic
from services.runtime.kafka import KafkaConnection
from services.sink.audit.logs import Logs, Offsets, Range
from services.sink.sql import offsets as sql

_CATCH_UP_SECONDS = 30.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far everybody is, at one moment or another; see `read_progress`."""

    acknowledged: Mapping[str, Offsets]
    ranges: Mapping[str, Mapping[int, Range]]
    stored: Mapping[str, Offsets]

    def stored_range(self, topic: Topic) -> dict[int, Range]:
        """What of a topic the sink has dealt with."""
        stored = self.stored.get(topic.name, {})
        return {
            partition: Range(one.beginning, max(one.beginning, min(one.end, stored.get(partition, 0))))
            for partition, one in self.ranges[topic.name].items()
        }

    def has_stored(self, topic: Topic, partition: int) -> bool:
        """Whether the sink has dealt with all that stood in a partition."""
        one = self.ranges[topic.name].get(partition)
        return one is None or one.beginning == one.end or self.stored.get(topic.name, {}).get(partition, 0) >= one.end

    def is_settled(self, record: RawRecord) -> bool:  # noqa: ARG002 - it holds for each record that was stored
        """Whether the dead letter of a record that the sink has dealt with is a row, if it has one."""
        return self.has_stored_all(DEAD_LETTER)

    def has_stored_all(self, *topics: Topic) -> bool:
        """Whether the sink has dealt with all that stood in these topics."""
        return all(self.has_stored(topic, partition) for topic in topics for partition in self.ranges[topic.name])

    def has_analyzed(self, record: RawRecord) -> bool:
        """Whether an analyzer has acknowledged an accepted conversation."""
        return record.offset < self.acknowledged[RECEIVED.name].get(record.partition, 0)


async def read_progress(logs: Logs, database: Any, connection: KafkaConnection) -> Progress:
    """First what was acknowledged, then the ends of what was written before, then how far that is stored.

    The ends of the dead letters come last: what the sink passes over it buries first. It is given half a minute to
    store what there was at the beginning; what it has not stored then is counted as waiting.
    """
    acknowledged = await logs.acknowledged()
    ranges = {topic.name: await logs.ranges(topic) for topic in (RECEIVED, REPLAY, ANALYZED)}
    progress = Progress(acknowledged, ranges, await _stored(database, connection))
    progress = await _caught_up(progress, database, connection, RECEIVED, ANALYZED)
    with_letters = replace(progress, ranges={**ranges, DEAD_LETTER.name: await logs.ranges(DEAD_LETTER)})
    later = await _caught_up(with_letters, database, connection, DEAD_LETTER)
    # What was stored of the others meanwhile may have letters behind the ends that were asked.
    return replace(with_letters, stored={**progress.stored, DEAD_LETTER.name: later.stored.get(DEAD_LETTER.name, {})})


async def _caught_up(progress: Progress, database: Any, connection: KafkaConnection, *topics: Topic) -> Progress:
    clock = asyncio.get_running_loop().time
    deadline = clock() + _CATCH_UP_SECONDS
    while not progress.has_stored_all(*topics) and clock() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        progress = replace(progress, stored=await _stored(database, connection))
    return progress


async def _stored(database: Any, connection: KafkaConnection) -> dict[str, dict[int, int]]:
    names = {connection.topic_name(topic): topic.name for topic in (RECEIVED, ANALYZED, DEAD_LETTER)}
    stored: dict[str, dict[int, int]] = {}
    for row in await database.fetch(sql.STORED_OFFSETS, connection.group_name("sink")):
        if row["topic"] in names:
            stored.setdefault(names[row["topic"]], {})[row["partition"]] = row["next_offset"]
    return stored
