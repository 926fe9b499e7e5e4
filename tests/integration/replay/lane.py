"""What stands on the topics: originals put there, copies read as the analyzer reads them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.codec import encode
from schemas.conversation_received import ConversationReceived
from schemas.topics import RECEIVED, REPLAY
from tests.builders import an_envelope
from tests.end_to_end.deployment import Deployment
from tests.waiting import eventually


async def accept(deployment: Deployment, conversations: Iterable[ConversationReceived]) -> dict[str, Any]:
    """Write conversations as the ingress does; where the broker put the last one of each id."""
    placed: dict[str, Any] = {}
    async with AIOKafkaProducer(bootstrap_servers=deployment.bootstrap_servers, linger_ms=5) as producer:
        sends = []
        for one in conversations:
            value, headers = encode(one, an_envelope())
            key = one.conversation_id.encode()
            name = deployment.topic_prefix + RECEIVED.name
            sends.append((one.conversation_id, await producer.send(name, value, key, headers=headers)))
        for conversation_id, send in sends:
            placed[conversation_id] = await send
    return placed


async def stored(deployment: Deployment, count: int) -> None:
    """Wait until the sink knows so many conversations."""

    async def is_stored() -> bool:
        counts: dict[str, int] = (await deployment.status())["conversations"]
        return sum(counts.values()) == count

    await eventually(is_stored, within_seconds=120, what=f"{count} conversations are stored")


async def copies(deployment: Deployment, *, committed: bool = True) -> list[Any]:
    """Every record of the replay topic; with `committed` those that the analyzer can see."""
    partitions = [TopicPartition(deployment.topic_prefix + REPLAY.name, number) for number in range(REPLAY.partitions)]
    async with (
        AIOKafkaConsumer(bootstrap_servers=deployment.bootstrap_servers) as plain,
        AIOKafkaConsumer(
            bootstrap_servers=deployment.bootstrap_servers,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed else "read_uncommitted",
        ) as reader,
    ):
        ends = await plain.end_offsets(partitions)
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        found: list[Any] = []
        async with asyncio.timeout(90):  # longer than a killed writer's transaction may stay open
            while any([await reader.position(place) < ends[place] for place in partitions]):
                for batch in (await reader.getmany(timeout_ms=200)).values():
                    found.extend(batch)
    return found


class LaneEnds:
    """How many offsets of the replay topic are taken, by whatever; it may be asked often."""

    def __init__(self, reader: Any, partitions: list[Any]) -> None:
        self._reader = reader
        self._partitions = partitions

    async def count(self) -> int:
        ends: dict[Any, int] = await self._reader.end_offsets(self._partitions)
        return sum(ends.values())

    async def reached(self, count: int) -> bool:
        return await self.count() >= count


@asynccontextmanager
async def lane_ends(deployment: Deployment) -> AsyncIterator[LaneEnds]:
    """Open while it is asked."""
    partitions = [TopicPartition(deployment.topic_prefix + REPLAY.name, number) for number in range(REPLAY.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=deployment.bootstrap_servers) as reader:
        yield LaneEnds(reader, partitions)


def ids_of(records: Iterable[Any]) -> Counter[str]:
    """How often each conversation is among the records."""
    return Counter(record.key.decode() for record in records)
