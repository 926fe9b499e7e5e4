"""Whether the replay lane holds anything that is not analysed yet.

Offsets alone do not tell: behind the last record of a replay stands the marker of its transaction, which nobody reads.
"""

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import REPLAY
from services.runtime.kafka import KafkaConnection
from undertone.embedded.lag import committed_offsets
from undertone.errors import CommandError
from undertone.replay.logs import log_beginnings, log_ends, open_span_reader

_MOST_MARKERS = 2_000
"""Where more is ahead of what is acknowledged, it is not all markers."""
_ASK_SECONDS = 30.0


async def lane_is_empty(connection: KafkaConnection) -> bool:
    """Whether every record is acknowledged; False, too, while Kafka does not say."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return not await _holds_records(connection, await _unacknowledged(connection))
    except (KafkaError, OSError, TimeoutError, CommandError):
        return False


async def _unacknowledged(connection: KafkaConnection) -> dict[int, range]:
    name = connection.topic_name(REPLAY)
    acknowledged = await committed_offsets(connection)
    ends, beginnings = await log_ends(connection, REPLAY), await log_beginnings(connection, REPLAY)
    return {
        number: range(max(acknowledged.get(TopicPartition(name, number), 0), beginnings[number]), end)
        for number, end in ends.items()
    }


async def _holds_records(connection: KafkaConnection, ranges: dict[int, range]) -> bool:
    if sum(map(len, ranges.values())) > _MOST_MARKERS:
        return True
    async with open_span_reader(connection, REPLAY, ranges) as reader:
        for number, offsets in ranges.items():
            if not offsets:
                continue
            async for records in reader.read(number):
                if records:
                    return True
    return False
