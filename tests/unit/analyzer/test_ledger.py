"""Places, room and blocks: what is between Kafka and its acknowledgement."""

import asyncio

from schemas.event import Lane
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import RECORD_OVERHEAD_BYTES, Ledger


def _ledger(max_count: int = 2) -> Ledger:
    windows = {lane: InFlightWindow(max_bytes=1_000_000, max_count=max_count) for lane in (Lane.LIVE, Lane.REPLAY)}
    ledger = Ledger(windows)
    ledger.open()
    return ledger


class Acknowledged(list[int]):
    """Offsets, in the order in which they were acknowledged."""

    def of(self, offset: int) -> "Acknowledge":
        return Acknowledge(self, offset)


class Acknowledge:
    def __init__(self, into: Acknowledged, offset: int) -> None:
        self.into, self.offset = into, offset

    def __call__(self) -> None:
        self.into.append(self.offset)


async def test_room_is_freed_at_acknowledgement_and_not_when_the_work_is_done() -> None:
    ledger, acknowledged = _ledger(), Acknowledged()
    first = await ledger.admit(Lane.LIVE, 0, 10, 5, acknowledged.of(10))
    second = await ledger.admit(Lane.LIVE, 0, 11, 5, acknowledged.of(11))
    waiting = asyncio.create_task(ledger.admit(Lane.LIVE, 0, 12, 5, acknowledged.of(12)))
    assert first is not None
    assert second is not None
    ledger.done(second)
    await asyncio.sleep(0)
    assert not waiting.done()
    ledger.done(first)
    assert acknowledged == [10, 11]
    assert await waiting is not None
    assert ledger.window(Lane.LIVE).bytes == 5 + RECORD_OVERHEAD_BYTES
    assert ledger.unacknowledged == 1


async def test_a_full_lane_does_not_take_the_others_room() -> None:
    ledger, acknowledged = _ledger(1), Acknowledged()
    assert await ledger.admit(Lane.REPLAY, 0, 1, 5, acknowledged.of(1)) is not None
    assert await ledger.admit(Lane.LIVE, 0, 1, 5, acknowledged.of(1)) is not None


async def test_a_rebalance_turns_away_who_waits_and_acknowledges_nothing_of_before() -> None:
    ledger, acknowledged = _ledger(1), Acknowledged()
    place = await ledger.admit(Lane.LIVE, 0, 1, 5, acknowledged.of(1))
    waiting = asyncio.create_task(ledger.admit(Lane.LIVE, 0, 2, 5, acknowledged.of(2)))
    await asyncio.sleep(0)
    ledger.close()
    assert await waiting is None
    assert await ledger.admit(Lane.LIVE, 0, 3, 5, acknowledged.of(3)) is None
    assert place is not None
    ledger.open()
    assert not ledger.is_current(place)
    ledger.done(place)
    assert acknowledged == []
    assert ledger.window(Lane.LIVE).count == 0
    assert await ledger.admit(Lane.LIVE, 0, 1, 5, acknowledged.of(1)) is not None


async def test_a_record_that_arrives_while_its_lane_waited_through_a_rebalance_comes_again() -> None:
    ledger, acknowledged = _ledger(1), Acknowledged()
    await ledger.admit(Lane.LIVE, 0, 1, 5, acknowledged.of(1))
    waiting = asyncio.create_task(ledger.admit(Lane.LIVE, 0, 2, 5, acknowledged.of(2)))
    await asyncio.sleep(0)
    ledger.close()
    ledger.open()
    assert await waiting is None


async def test_a_draining_process_takes_nothing_new_but_acknowledges_what_ends() -> None:
    ledger, acknowledged = _ledger(), Acknowledged()
    place = await ledger.admit(Lane.LIVE, 0, 1, 5, acknowledged.of(1))
    ledger.take_no_more()
    assert await ledger.admit(Lane.LIVE, 0, 2, 5, acknowledged.of(2)) is None
    assert place is not None
    ledger.done(place)
    assert acknowledged == [1]


async def test_a_blocked_lane_waits_for_a_person_or_a_rebalance() -> None:
    ledger, acknowledged = _ledger(), Acknowledged()
    place = await ledger.admit(Lane.REPLAY, 0, 1, 5, acknowledged.of(1))
    assert place is not None
    blocked = asyncio.create_task(ledger.block(place, "an unknown version"))
    await asyncio.sleep(0)
    assert ledger.blocked == {Lane.REPLAY: "an unknown version"}
    ledger.unblock(Lane.REPLAY)
    assert await blocked is True
    blocked = asyncio.create_task(ledger.block(place, "still unknown"))
    await asyncio.sleep(0)
    ledger.close()
    assert await blocked is False
    assert ledger.blocked == {}


async def test_a_rebalance_tells_how_many_answered_records_come_again() -> None:
    ledger, acknowledged = _ledger(5), Acknowledged()
    places = [await ledger.admit(Lane.LIVE, 0, offset, 5, acknowledged.of(offset)) for offset in range(5)]
    for place in (places[0], places[2], places[3]):  # 1 is not answered yet, so 2 and 3 wait behind it
        assert place is not None
        place.receipt.paid_answers += place is not places[3]
        ledger.done(place)
    assert acknowledged == [0]
    assert ledger.close() == 1, "3 was answered for nothing, 0 is acknowledged"
    assert ledger.close() == 0


async def test_a_record_under_two_versions_is_acknowledged_when_both_outcomes_are_out() -> None:
    ledger, acknowledged = _ledger(), Acknowledged()
    place = await ledger.admit(Lane.LIVE, 0, 7, 5, acknowledged.of(7))
    assert place is not None
    ledger.expect(place, ("offline-2", "grok-4.3-p1"))
    ledger.done(place, "grok-4.3-p1")
    ledger.done(place, "grok-4.3-p1")
    assert acknowledged == []
    assert ledger.window(Lane.LIVE).count == 1, "its room is taken until then"
    ledger.done(place, "offline-2")
    assert acknowledged == [7]
    ledger.done(place, "offline-2")
    assert acknowledged == [7]
    assert ledger.window(Lane.LIVE).count == 0


async def test_a_rebalance_counts_each_paid_answer_of_a_record_that_comes_again() -> None:
    ledger, acknowledged = _ledger(), Acknowledged()
    place = await ledger.admit(Lane.LIVE, 0, 7, 5, acknowledged.of(7))
    assert place is not None
    ledger.expect(place, ("paid-1", "paid-2", "free-1"))
    for version in ("paid-1", "paid-2"):
        place.receipt.paid_answers += 1
        ledger.done(place, version)
    assert ledger.close() == 2
    ledger.done(place, "free-1")
    assert acknowledged == []
