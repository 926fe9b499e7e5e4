"""Sends in groups: nobody waits for a neighbour longer than needed, and what waits is always counted."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.topics import Topic
from services.ingress.sends import SendLimits, Sends, Sent
from services.runtime.publisher import Record, Sending
from services.runtime.record_batches import encoded_headers
from tests.fakes import FakePublisher
from tests.waiting import eventually

LIMITS = SendLimits(ack_timeout_seconds=0.05, max_waiting_sends=100, max_waiting_bytes=1000)


def a_record(key: bytes, value: bytes = b"12345") -> Record:
    return Record(key, value, encoded_headers([]))


async def test_requests_of_one_turn_of_the_loop_travel_together() -> None:
    publisher = FakePublisher()
    sends = Sends(publisher, LIMITS)
    assert set(await asyncio.gather(*(sends.send(a_record(b"k%d" % number)) for number in range(10)))) == {
        Sent.ACKNOWLEDGED
    }
    assert publisher.groups == [10]
    assert [record.key for record in publisher.records] == [b"k%d" % number for number in range(10)]


async def test_one_that_kafka_holds_back_does_not_hold_up_its_neighbours() -> None:
    publisher = FakePublisher(held=frozenset({b"slow"}))
    sends = Sends(publisher, LIMITS._replace(ack_timeout_seconds=30))
    slow = asyncio.create_task(sends.send(a_record(b"slow")))
    async with asyncio.timeout(5):
        assert await sends.send(a_record(b"quick")) is Sent.ACKNOWLEDGED
    assert not slow.done()
    publisher.come_back()
    assert await slow is Sent.ACKNOWLEDGED


async def test_what_waits_is_counted_until_kafka_resolves_it() -> None:
    publisher = FakePublisher(is_away=True)
    sends = Sends(publisher, LIMITS)
    assert await sends.send(a_record(b"a")) is Sent.UNKNOWN
    assert await sends.send_together([a_record(b"b"), a_record(b"c")]) == [Sent.UNKNOWN] * 2
    assert (sends.waiting_bytes, publisher.waiting) == (15, 3)
    publisher.come_back()
    await asyncio.sleep(0)  # callbacks run
    assert (sends.waiting_bytes, publisher.waiting) == (0, 0)


class NeverReached(FakePublisher):
    """A Kafka that has not been reached since the start: nothing gets a place."""

    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        await asyncio.Event().wait()
        return []


async def test_what_got_no_place_in_time_is_unknown_and_forgotten() -> None:
    sends = Sends(NeverReached(), LIMITS)
    one, many = await asyncio.gather(sends.send(a_record(b"a")), sends.send_together([a_record(b"b")]))
    assert (one, many) == (Sent.UNKNOWN, [Sent.UNKNOWN])
    assert sends.waiting_bytes == 0
    assert sends._handed_in == 0


class Broken(FakePublisher):
    async def enqueue_together(self, topic: Topic, records: Sequence[Record]) -> list[Sending]:
        raise LookupError("a bug")


async def test_a_bug_reaches_every_request_of_the_group() -> None:
    sends = Sends(Broken(), LIMITS)
    answers = await asyncio.gather(*(sends.send(a_record(b"a")) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError] * 3
    assert sends.waiting_bytes == 0


async def test_a_request_that_was_given_up_hears_nothing_and_hurts_nobody() -> None:
    publisher = FakePublisher(is_away=True)
    sends = Sends(publisher, LIMITS._replace(ack_timeout_seconds=30))
    gone, stays = (asyncio.create_task(sends.send(a_record(key))) for key in (b"gone", b"stays"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await eventually(lambda: len(publisher.records) == 2)
    publisher.come_back()
    assert await stays is Sent.ACKNOWLEDGED
