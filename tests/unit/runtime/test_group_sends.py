"""Which records share a batch, with aiokafka's own accumulator and no Kafka."""

import asyncio
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownProducerId
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager

from schemas.topics import RECEIVED
from services.runtime.group_sends import GroupSends, Sending
from services.runtime.kafka import KafkaUnavailable
from services.runtime.producers import MAX_BATCH_BYTES
from services.runtime.record_batches import Record, encoded_headers
from services.runtime.send_errors import RecordRefused

LEADER = 7
PARTITION = TopicPartition("topic", 0)


class Sends:
    """Sends to a topic of one partition, and the part of aiokafka that gathers batches."""

    def __init__(self) -> None:
        self.waiting = 0
        cluster = SimpleNamespace(leader_for_partition=lambda _: LEADER)
        transactions = TransactionManager(None, 60_000)
        transactions.set_pid_and_epoch(1, 0)
        self.accumulator = MessageAccumulator(cluster, 1, 0, math.inf, txn_manager=transactions)
        self._producer: Any = SimpleNamespace(_message_accumulator=self.accumulator)
        self._sends = GroupSends(self._count)

    def _count(self, change: int) -> None:
        self.waiting += change

    def send(self, *values: bytes) -> list[Sending]:
        records = [Record(b"key", value, encoded_headers([])) for value in values]
        return self._sends.send(self._producer, RECEIVED, "topic", 1, records)

    def picked_up(self) -> MessageBatch:
        """The batch that the producer sends next."""
        batches, _ = self.accumulator.drain_by_nodes(ignore_nodes=())
        return batches[LEADER][PARTITION]

    def abandon(self) -> None:
        self._sends.abandon()


def places(sendings: Sequence[Sending]) -> list[list[int]]:
    return [list(one.places) for one in sendings]


async def test_what_comes_before_the_producer_picks_a_batch_up_shares_it() -> None:
    sends = Sends()
    (first,), (second,) = sends.send(b"1", b"2"), sends.send(b"3")
    assert first.resolved is second.resolved
    assert sends.waiting == 3
    batch = sends.picked_up()
    assert batch.record_count == 3
    batch.done(base_offset=0)
    await first.resolved
    assert sends.waiting == 0


async def test_a_batch_on_its_way_takes_no_more_also_when_it_is_sent_again() -> None:
    sends = Sends()
    (first,) = sends.send(b"1")
    batch = sends.picked_up()
    written = bytes(batch.get_data_buffer())
    (second,) = sends.send(b"2", b"3")
    sends.accumulator.reenqueue(batch)
    (third,) = sends.send(b"4")
    assert first.resolved is not second.resolved
    assert second.resolved is third.resolved
    again = sends.picked_up()
    assert again is batch
    assert bytes(again.get_data_buffer()) == written
    following = sends.picked_up()
    assert following.record_count == 3
    following.get_data_buffer()
    assert following._builder._producer == (1, 0, 1)  # its first record's number comes after the first batch's only one


async def test_records_that_no_longer_fit_begin_another_batch() -> None:
    sends = Sends()
    third = b"x" * (MAX_BATCH_BYTES // 3)
    found = sends.send(third, third, third, third)
    assert places(found) == [[0, 1], [2, 3]]
    assert found[0].resolved is not found[1].resolved
    assert [sends.picked_up().record_count, sends.picked_up().record_count] == [2, 2]


@pytest.mark.parametrize(
    ("error", "heard"), [(MessageSizeTooLargeError, RecordRefused), (KafkaError, KafkaUnavailable)]
)
async def test_an_error_is_heard_by_all_that_share_the_batch(error: type[KafkaError], heard: type[Exception]) -> None:
    sends = Sends()
    found = sends.send(b"1") + sends.send(b"2")
    sends.picked_up().failure(error())
    for sending in found:
        with pytest.raises(heard):
            await sending.resolved
    assert sends.waiting == 0


async def test_after_the_producer_failed_nothing_waits_for_it() -> None:
    sends = Sends()
    (before,) = sends.send(b"1")
    sends.accumulator.fail_all(UnknownProducerId())
    (meanwhile,) = sends.send(b"2")  # before anybody has heard of it
    for sending in (before, meanwhile):
        with pytest.raises(KafkaUnavailable):
            await sending.resolved
    (after,) = sends.send(b"3")
    with pytest.raises(KafkaUnavailable):
        await after.resolved
    assert sends.waiting == 0


async def test_what_is_given_up_is_told_once() -> None:
    sends = Sends()
    (sending,) = sends.send(b"1")
    batch = sends.picked_up()
    sends.abandon()
    with pytest.raises(KafkaUnavailable):
        await sending.resolved
    batch.done(base_offset=0)  # Kafka took it after all
    await asyncio.sleep(0)
    assert sends.waiting == 0
    (later,) = sends.send(b"2")
    assert later.resolved is not sending.resolved
