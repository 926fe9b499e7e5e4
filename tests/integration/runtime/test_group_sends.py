"""Many records at once against a real Kafka: each where its key belongs, in order, durable or an error."""

import asyncio
import time
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.topics import MAX_RECORD_BYTES, MIB, RECEIVED
from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.publisher import EventPublisher, Record, RecordRefused, Sending, open_publisher
from services.runtime.record_batches import encoded_headers
from tests.infrastructure import Infrastructure
from tests.infrastructure.servers import new_kafka, running
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.topics import apply

HEADERS = [("ce_id", b"1")]
NO_HEADERS = encoded_headers([])


@pytest.fixture
def connection(infrastructure: Infrastructure, kafka_topics: str) -> KafkaConnection:
    return KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=kafka_topics)


async def read(connection: KafkaConnection, count: int) -> list[tuple[int, bytes, bytes, object]]:
    consumer = AIOKafkaConsumer(
        connection.topic_name(RECEIVED), auto_offset_reset="earliest", **connection.client_options()
    )
    async with consumer:
        records = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
    return [(record.partition, record.key, record.value, record.headers) for record in records]


async def send_all(publisher: EventPublisher, records: list[Record]) -> list[Sending]:
    sendings = await publisher.enqueue_together(RECEIVED, records)
    await asyncio.gather(*(sending.resolved for sending in sendings))
    return sendings


async def test_every_record_is_in_kafka_once_where_a_single_send_would_put_it(connection: KafkaConnection) -> None:
    keys = [b"key-%d" % number for number in range(100)]
    async with open_publisher(connection) as publisher:
        placed = {key: (await publisher.publish_record(RECEIVED, key, b"single", HEADERS)).partition for key in keys}
        sendings = await send_all(publisher, [Record(key, b"together", encoded_headers(HEADERS)) for key in keys])
        assert publisher.waiting == 0
    assert sorted(place for sending in sendings for place in sending.places) == list(range(100))
    found = await read(connection, 200)
    assert all(partition == placed[key] for partition, key, _, _ in found)
    assert sorted(key for _, key, value, _ in found if value == b"together") == sorted(keys)
    assert all(tuple(headers) == tuple(HEADERS) for *_, headers in found)  # type: ignore[arg-type]


async def test_records_of_one_key_keep_their_order_however_many_batches_they_fill(connection: KafkaConnection) -> None:
    records = [Record(b"a key", b"%d" % number + b" " * (MIB // 3), NO_HEADERS) for number in range(20)]
    async with open_publisher(connection) as publisher:
        await asyncio.gather(send_all(publisher, records[:10]))
        await asyncio.gather(send_all(publisher, records[10:]))
    found = await read(connection, 20)
    assert [int(value.split()[0]) for _, _, value, _ in found] == list(range(20))


async def test_requests_at_the_same_time_lose_nothing(connection: KafkaConnection) -> None:
    async with open_publisher(connection) as publisher:
        await asyncio.gather(
            *(
                send_all(publisher, [Record(b"%d-%d" % (request, number), b"v", NO_HEADERS) for number in range(50)])
                for request in range(20)
            )
        )
        assert publisher.waiting == 0
    counts: defaultdict[bytes, int] = defaultdict(int)
    for _, key, _, _ in await read(connection, 1000):
        counts[key] += 1
    assert len(counts) == 1000


async def test_a_record_that_is_too_large_is_refused_alone(connection: KafkaConnection) -> None:
    records = [
        Record(b"a", b"small", NO_HEADERS),
        Record(b"b", b"x" * MAX_RECORD_BYTES, NO_HEADERS),
        Record(b"c", b"x" * (MAX_RECORD_BYTES - 1000), NO_HEADERS),  # larger than a batch, and still allowed
    ]
    async with open_publisher(connection) as publisher:
        sendings = await publisher.enqueue_together(RECEIVED, records)
        by_place = {place: sending.resolved for sending in sendings for place in sending.places}
        with pytest.raises(RecordRefused, match=r"conversations\.received\.v1"):
            await by_place[1]
        await by_place[0]
        await by_place[2]
    assert sorted(key for _, key, _, _ in await read(connection, 2)) == [b"a", b"c"]


async def test_what_waits_for_kafka_counts_as_waiting_and_is_given_up_at_the_end() -> None:
    connection = KafkaConnection(f"127.0.0.1:{free_port()}")
    async with open_publisher(connection, close_seconds=0.1) as publisher:
        sending = asyncio.create_task(publisher.enqueue_together(RECEIVED, [Record(b"a", b"v", NO_HEADERS)] * 3))
        await eventually(lambda: publisher.waiting == 3, what="three records wait")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert publisher.waiting == 0


async def test_a_send_after_the_end_is_an_error_and_not_silence(
    connection: KafkaConnection,
) -> None:
    async with open_publisher(connection, close_seconds=0.1) as publisher:
        await publisher.publish_record(RECEIVED, b"first", b"v", [])
        await publisher.close(5)  # as at the end of a service, while a request is still being answered
        (sending,) = await publisher.enqueue_together(RECEIVED, [Record(b"a", b"v", NO_HEADERS)])
        with pytest.raises(KafkaUnavailable):
            await sending.resolved
        assert publisher.waiting == 0


async def test_what_comes_while_a_batch_waits_shares_the_next_one() -> None:
    """While Kafka stands still thousands of sends wait, at no cost that grows, and then all arrive once."""
    with running(new_kafka()) as kafka:
        await apply(kafka.bootstrap_servers)
        connection = KafkaConnection(kafka.bootstrap_servers)
        async with open_publisher(connection) as publisher:
            await send_all(publisher, [Record(b"warm", b"v", NO_HEADERS)])
            await kafka.pause()
            sendings = []
            for number in range(3000):
                sendings += await publisher.enqueue_together(RECEIVED, [Record(b"%d" % number, b"v", NO_HEADERS)])
                await asyncio.sleep(0)  # each in a turn of its own, as requests come
            assert publisher.waiting > 2900  # a few may slip through while the signal takes effect
            began = time.process_time()
            await kafka.resume()
            await asyncio.wait_for(asyncio.gather(*(sending.resolved for sending in sendings)), 60)
            assert time.process_time() - began < 5
        keys = [key for _, key, _, _ in await read(connection, 3001)]
    assert len(set(keys)) == 3001
