"""What a replay has written already: the replay topic is asked, which alone knows it for certain.

Ask after the writer has begun (writing.py): then whoever wrote before is shut out, its open transaction is aborted,
and nothing of this replay comes behind the ends that are read up to.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.topics import REPLAY
from services.runtime.kafka import KafkaConnection
from undertone.replay.copies import source_of
from undertone.replay.logs import log_beginnings, log_ends, open_span_reader


@dataclass(slots=True)
class Found:
    """What stands in the replay topic behind the positions that were asked about."""

    offsets: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Of originals, by their partition."""
    ends: dict[int, int] = field(default_factory=dict)
    """Up to where the replay topic was read."""

    @property
    def count(self) -> int:
        return sum(map(len, self.offsets.values()))


async def find_written(connection: KafkaConnection, replay_id: str, positions: Mapping[int, int]) -> Found:
    """Read what is committed from the positions on. Raises CommandError and KafkaError.

    The ends are those of the whole log, not those of what is committed: while another replay has a transaction open,
    what we committed behind its beginning is not to be seen yet, and is waited for.
    """
    found = Found(ends=await log_ends(connection, REPLAY))
    beginnings = await log_beginnings(connection, REPLAY)
    ranges = {
        number: range(max(positions.get(number, 0), beginnings[number]), end) for number, end in found.ends.items()
    }
    async with open_span_reader(connection, REPLAY, ranges) as reader:
        for number in ranges:
            async for records in reader.read(number):
                for record in records:
                    source = source_of(record.headers, replay_id)
                    if source is not None:
                        found.offsets[source[0]].add(source[1])
    return found
