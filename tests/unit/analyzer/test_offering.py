"""What an instance says of the engines that it has."""

import asyncio

from schemas.analysis_control import EnginesOffered
from schemas.event import Event
from services.analyzer.offering import STANDS_SECONDS, Offering
from tests.waiting import eventually

VERSIONS = ("offline-2", "grok-4.3-p1")


class _Log:
    """Takes what is declared, once Kafka is there."""

    def __init__(self) -> None:
        self.words: list[EnginesOffered] = []
        self.is_there = asyncio.Event()
        self.is_there.set()

    async def declare(self, event: Event) -> None:
        await self.is_there.wait()
        assert isinstance(event, EnginesOffered)
        self.words.append(event)

    @property
    def versions(self) -> list[tuple[str, ...]]:
        return [word.analysis_versions for word in self.words]


async def test_nothing_is_said_before_the_log_is_read_and_nothing_has_to_be_taken_back_then() -> None:
    log = _Log()
    offering = Offering(VERSIONS, instance="one", declare=log.declare)
    running = asyncio.create_task(offering.run())
    await asyncio.sleep(0)
    await offering.withdraw()
    assert log.words == []
    running.cancel()


async def test_it_says_what_it_has_and_takes_it_back_at_the_end() -> None:
    log = _Log()
    offering = Offering(VERSIONS, instance="one", declare=log.declare)
    offering.begin()
    running = asyncio.create_task(offering.run())
    await eventually(lambda: asyncio.sleep(0, log.versions == [VERSIONS]))
    assert (log.words[0].offered_by, log.words[0].stands_seconds) == ("one", STANDS_SECONDS)
    await offering.withdraw()
    await running
    assert log.versions == [VERSIONS, ()]


async def test_what_waits_for_kafka_is_not_said_after_it_was_taken_back() -> None:
    log = _Log()
    log.is_there.clear()
    offering = Offering(VERSIONS, instance="one", declare=log.declare)
    offering.begin()
    running = asyncio.create_task(offering.run())
    await asyncio.sleep(0)
    withdrawing = asyncio.create_task(offering.withdraw())
    await asyncio.sleep(0)
    log.is_there.set()
    await withdrawing
    await running
    assert log.versions[-1] == ()
