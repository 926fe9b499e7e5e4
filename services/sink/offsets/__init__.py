"""Stored offsets, shown and set by a person: what a sink never decides by itself.

A reset raises the epoch, so that whatever a running sink holds of the partition is dropped, and it goes on from the new
offset by itself within seconds. Skipped records are not stored; records read again change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.runtime.kafka import KafkaConnection
from services.runtime.topic_logs import partitions_of
from services.sink.batch import Claim, Claimed, Place
from services.sink.decoding import SINK_TOPICS
from services.sink.partitions import LogRange, reason_to_stop
from services.sink.sql import offsets as sql


class CannotSet(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """The offsets cannot be read or set; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Logs:
    """What Kafka holds of the sink's topics."""

    cluster_id: str
    ranges: Mapping[Place, LogRange]


async def read_logs(connection: KafkaConnection) -> Logs:
    """Ask Kafka. Raises CannotSet when it does not answer."""
    names = [connection.topic_name(topic) for topic in SINK_TOPICS]
    consumer = AIOKafkaConsumer(**connection.client_options(), enable_auto_commit=False)
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await consumer.start()
        await admin.start()
        asked = await partitions_of(connection, names)
        beginnings, ends = await consumer.beginning_offsets(asked), await consumer.end_offsets(asked)
        cluster_id = str((await admin.describe_cluster())["cluster_id"])
    except (KafkaError, OSError) as error:
        raise CannotSet(f"Kafka does not answer at {connection.bootstrap_servers} ({type(error).__name__})") from error
    finally:
        await consumer.stop()
        await admin.close()
    return Logs(cluster_id, {Place(*one): LogRange(beginnings[one], ends[one]) for one in asked})


def target_of(word: str, place: Place, log: LogRange) -> int:
    """The offset that `--to` means for a partition. Raises CannotSet for one that its log does not hold."""
    if word in {"beginning", "end"}:
        return log.beginning if word == "beginning" else log.end
    if not word.isdecimal() or not log.beginning <= int(word) <= log.end:
        raise CannotSet(f"{place} holds {log.beginning} to {log.end}: --to takes beginning, end or an offset of these")
    return int(word)


async def show(connection: KafkaConnection, postgres: asyncpg.Connection) -> list[str]:
    """A line for each partition; those that stand still say why."""
    logs = await read_logs(connection)
    lines = []
    for row in await postgres.fetch(sql.STORED, connection.group_name("sink")):
        place = Place(row["topic"], row["partition"])
        log = logs.ranges.get(place)
        if log is None:
            lines.append(f"{place}  stored {row['next_offset']}  Kafka has no such partition")
            continue
        claimed = Claimed(Claim(row["epoch"], row["next_offset"]), row["cluster_id"])
        why = reason_to_stop(place, claimed, log, logs.cluster_id)
        lines.append(f"{place}  stored {row['next_offset']}  log {log.beginning} to {log.end}  {why or 'ok'}")
    return lines


async def reset(
    connection: KafkaConnection, postgres: asyncpg.Connection, topic: str, partition: int | None, *, to: str
) -> list[str]:
    """Set the offsets of a topic's partitions, or of one, and give a line for each. Raises CannotSet."""
    logs = await read_logs(connection)
    name = next(
        (connection.topic_name(one) for one in SINK_TOPICS if topic in {one.name, connection.topic_name(one)}), ""
    )
    places = [place for place in logs.ranges if place.topic == name and partition in {None, place.partition}]
    if not places:
        raise CannotSet(f"the sink reads no {topic}{'' if partition is None else f'/{partition}'} in this Kafka")
    targets = {place: target_of(to, place, logs.ranges[place]) for place in sorted(places)}
    async with postgres.transaction():
        for place, target in targets.items():
            await postgres.execute(
                sql.RESET, connection.group_name("sink"), place.topic, place.partition, target, logs.cluster_id
            )
    return [f"{place} goes on at {target}" for place, target in targets.items()]
