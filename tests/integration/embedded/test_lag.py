"""The analyzers' lag on a lane that is written in transactions: their markers wait for nobody."""

from collections.abc import Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import RECEIVED, REPLAY
from services.runtime.kafka import KafkaConnection
from tests.infrastructure import Infrastructure
from tests.waiting import eventually
from undertone.embedded.lag import analyzer_lag


class GivenUp(Exception):  # noqa: N818 - it names what happens
    """What aborts a transaction."""


async def test_markers_and_what_was_aborted_are_no_lag_and_what_comes_behind_them_is(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    connection = KafkaConnection(infrastructure.bootstrap_servers, kafka_topics, kafka_topics)
    lane = connection.topic_name(REPLAY)
    async with AIOKafkaProducer(
        bootstrap_servers=infrastructure.bootstrap_servers, transactional_id=f"{kafka_topics}lag"
    ) as producer:

        async def send(partitions: int) -> None:
            for partition in range(partitions):
                await producer.send_and_wait(lane, b"{}", partition=partition)

        async with producer.transaction():
            await send(3)
        assert await lag_on_the_lane_becomes(connection, 6), "each marker behind a record counts as it does"

        await acknowledge(connection, dict.fromkeys(range(3), 1))
        assert await lag_on_the_lane_becomes(connection, 0)

        with suppress(GivenUp):
            async with producer.transaction():
                await send(2)
                raise GivenUp
        assert await lag_on_the_lane_becomes(connection, 0)

        async with producer.transaction():
            await send(1)
            assert await lag_on_the_lane_becomes(connection, 0), "it is not committed yet"
        assert await lag_on_the_lane_becomes(connection, 2)


async def lag_on_the_lane_becomes(connection: KafkaConnection, expected: int) -> bool:
    async def is_so() -> bool:
        found = await analyzer_lag(connection)
        assert found == {RECEIVED.name: 0, REPLAY.name: expected}, found
        return True

    return await eventually(is_so, what=f"the lag is {expected}")


async def acknowledge(connection: KafkaConnection, places: Mapping[int, int]) -> None:
    """As the analyzer does: the offset behind the last record that it dealt with."""
    name = connection.topic_name(REPLAY)
    async with AIOKafkaConsumer(
        **connection.client_options(), group_id=connection.group_name("analyzer"), enable_auto_commit=False
    ) as consumer:
        offsets = {TopicPartition(name, number): offset for number, offset in places.items()}
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
