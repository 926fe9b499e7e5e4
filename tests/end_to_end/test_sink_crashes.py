"""Two sinks, outcomes arriving throughout, kill -9 inside open transactions, Postgres restarted: every effect is once.

The suite runs a small one. The full one: 200,000 outcomes, 50 kills of each sink, 5 restarts of Postgres:

    UNDERTONE_SINK_CRASHES=200000,50,5 python -m pytest -s --timeout=3600 tests/end_to_end/test_sink_crashes.py
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import ANALYZED, RECEIVED, STARTED
from tests.end_to_end.deployment import Deployment, deployed
from tests.end_to_end.sink_crashes.kills import Killer, create_role
from tests.end_to_end.sink_crashes.stored import assert_stored, unread_records
from tests.end_to_end.sink_crashes.stream import OutcomeStream
from tests.infrastructure import OwnStack
from tests.waiting import eventually

OUTCOMES, KILLS, RESTARTS = (int(size) for size in os.environ.get("UNDERTONE_SINK_CRASHES", "3000,2,1").split(","))
ROLES = ("sink_1", "sink_2")
SETTLE_SECONDS = 120 + OUTCOMES / 500


async def test_sinks_killed_in_open_transactions_store_every_outcome_once(own_stack: OwnStack, tmp_path: Path) -> None:
    for role in ROLES:
        await create_role(own_stack.database_url, role)
    sinks = Deployment(own_stack.bootstrap_servers, own_stack.database_url, tmp_path)
    killers = [
        Killer(
            sinks.add("sink", role, role="consumer", DATABASE_URL=as_role(own_stack.database_url, role)),
            role,
            own_stack.database_url,
        )
        for role in ROLES
    ]

    def kills() -> int:
        return sum(killer.kills for killer in killers)

    async with deployed(sinks), producing(own_stack) as producer:
        await sinks.start()
        stream = OutcomeStream(producer, OUTCOMES, lambda: OUTCOMES * (kills() + 1) // (KILLS * len(killers)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream.run())
            for killer in killers:
                tasks.create_task(killer.run(KILLS))
            tasks.create_task(restart_postgres(own_stack, killers))
        await eventually(partial(is_stored, own_stack), within_seconds=SETTLE_SECONDS, what="everything is stored")
        for service in sinks.services:
            await service.ready()
    assert [killer.kills for killer in killers] == [KILLS, KILLS]
    await assert_stored(own_stack.database_url, stream.expected)
    print(  # noqa: T201 - the figures of the full run
        f"\n{stream.expected.sent} outcomes and {stream.repeated} repetitions, {kills()} kills in open "
        f"transactions, {RESTARTS} restarts of Postgres: {len(stream.expected.insights)} insights, each stored once"
    )


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:{role}@{parts.hostname}:{parts.port}"))


@asynccontextmanager
async def producing(stack: OwnStack) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def restart_postgres(stack: OwnStack, killers: Sequence[Killer]) -> None:
    """At even distances among the kills; every second time Postgres is killed as well."""
    total = KILLS * len(killers)
    for number in range(RESTARTS):
        due = (number + 1) * total // (RESTARTS + 1)

        def is_due(due: int = due) -> bool:
            return sum(killer.kills for killer in killers) >= due

        await eventually(is_due, within_seconds=SETTLE_SECONDS * 10, what=f"{due} kills are done")
        await (stack.kill_postgres() if number % 2 else stack.stop_postgres())
        await stack.start_postgres()


async def is_stored(stack: OwnStack) -> bool:
    return await unread_records(stack.database_url, await log_ends(stack)) == 0


async def log_ends(stack: OwnStack) -> dict[tuple[str, int], int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic.name, partition)
            for topic in (RECEIVED, ANALYZED, STARTED)
            for partition in range(topic.partitions)
        ]
        return {(place.topic, place.partition): end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()
