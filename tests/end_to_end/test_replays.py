"""A replay beside live traffic: analysed again under every trap that transactions set, and never a second row."""

from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import REPLAY
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import terminal_on
from tests.integration.replay.lane import copies
from tests.waiting import eventually

COUNT = 60


async def test_replays_are_analysed_to_their_last_record_through_markers_and_aborted_transactions(
    pipeline: Deployment, tmp_path: Path
) -> None:
    terminal = terminal_on(pipeline, tmp_path, ANALYZER_ENGINE="offline")
    accepted = await pipeline.post_until_accepted(numbered(COUNT, "again"))
    await pipeline.settled(accepted)
    priced = await terminal.run("replay", "--since", "1h", "--dry-run")
    assert priced.code == 0, priced.err
    assert f"known already {COUNT}" in " ".join(priced.out.split())
    assert await copies(pipeline, committed=False) == []

    # One record at the beginning of a partition, its marker, what a killed replay leaves, and then everything.
    one = await terminal.run("replay", "--conversation", "again-00000", "--yes")
    assert one.code == 0, one.err
    (first,) = await copies(pipeline)
    await all_acknowledged(pipeline)
    await leave_aborted(pipeline, first, 5)
    everything = await terminal.run("replay", "--since", "1h", "--yes")
    assert everything.code == 0, everything.err
    assert len(await copies(pipeline)) == COUNT + 1
    await all_acknowledged(pipeline)
    live = await pipeline.post_until_accepted(numbered(10, "live", start=COUNT))
    await pipeline.settled(accepted | live)
    await assert_exact(pipeline.database_url, accepted | live)


async def leave_aborted(pipeline: Deployment, like: Any, count: int) -> None:
    """Records of a transaction that never came to its end, in the partition of `like`."""
    async with AIOKafkaProducer(
        bootstrap_servers=pipeline.bootstrap_servers, transactional_id=f"{pipeline.topic_prefix}aborted"
    ) as producer:
        await producer.begin_transaction()
        for _ in range(count):
            await producer.send_and_wait(like.topic, like.value, like.key, partition=like.partition)
        await producer.abort_transaction()


async def all_acknowledged(pipeline: Deployment) -> None:
    """Wait until the analyzer's group stands behind the last record of every partition of the replay topic."""
    wanted: dict[int, int] = {}
    for record in await copies(pipeline):
        wanted[record.partition] = max(wanted.get(record.partition, 0), record.offset + 1)

    async def is_acknowledged() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.bootstrap_servers)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(f"{pipeline.topic_prefix}undertone-analyzer")
        finally:
            await admin.close()
        name = pipeline.topic_prefix + REPLAY.name
        at = {place.partition: one.offset for place, one in found.items() if place.topic == name}
        behind = {number: end for number, end in wanted.items() if at.get(number, 0) < end}
        assert not behind, f"{at} of {wanted}"
        return True

    await eventually(is_acknowledged, within_seconds=90, every_seconds=0.5, what="all copies are acknowledged")
