"""What a replay costs live traffic: how long live conversations take beside one, against without.

    python -m benchmarks.replay_beside_live [--conversations 80] [--rounds 1] [--kafka HOST:PORT]

One analyzer under the limit of calls, a simulated LLM in a process of its own, and single live conversations at
irregular times. Measured is the time from Kafka's acknowledgement of a conversation to its outcome in
conversations.analyzed.v1. The replay lane has a backlog all the time; in one kind of round it is held, in the other it
is worked off with every call that live traffic leaves over. Rounds in the order ABBA.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.llm_fleet_parts import Fleet, fill, fleet_on
from benchmarks.llm_pace import simulator
from benchmarks.measure import Report, arguments, median, percentile, run, topics_on
from schemas.codec import decode, encode
from schemas.event import Lane
from schemas.insight_produced import InsightProduced
from schemas.topics import ANALYZED, RECEIVED, REPLAY
from services.runtime.kafka import KafkaConnection, raw_record
from tests.builders import a_conversation, an_envelope
from tests.waiting import eventually
from undertone.errors import CommandError

LIMIT = 10.0
BATCH = 10
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 0.7
_SPARE = 1.5
"""Of the backlog: what is more than the limit lets through while live conversations come."""
_HOLD_SECONDS = 3_600.0


@dataclass
class Watch:
    """When the outcome of each live conversation came, and how many outcomes each lane had."""

    came: dict[str, float] = field(default_factory=dict)
    by_lane: Counter[Lane] = field(default_factory=Counter)

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            event = decode(raw_record(message, ANALYZED), ANALYZED).event
            if isinstance(event, InsightProduced):
                self.by_lane[event.lane] += 1
                if event.lane is Lane.LIVE:
                    self.came.setdefault(event.conversation_id, time.perf_counter())


@asynccontextmanager
async def watching(connection: KafkaConnection) -> AsyncIterator[Watch]:
    """Read the outcomes from now on."""
    watch = Watch()
    topic = connection.topic_name(ANALYZED)
    async with AIOKafkaConsumer(topic, **connection.client_options(), auto_offset_reset="earliest") as consumer:
        following = asyncio.create_task(watch.follow(consumer))
        try:
            yield watch
        finally:
            following.cancel()


class Live:
    """Live traffic: one conversation after the other, at irregular times."""

    def __init__(self, connection: KafkaConnection, watch: Watch) -> None:
        self._connection = connection
        self._watch = watch
        self._chance = random.Random(0)
        self._posted = 0

    async def round(self, count: int) -> list[float]:
        """Seconds from acknowledgement to outcome, of so many."""
        acknowledged: dict[str, float] = {}
        async with AIOKafkaProducer(**self._connection.client_options(), acks="all") as producer:
            for _ in range(count):
                self._posted += 1
                conversation = a_conversation(
                    f"live-{self._posted}", f"Where is order {self._posted}? I have had enough of waiting."
                )
                value, headers = encode(conversation, an_envelope())
                key = conversation.conversation_id.encode()
                name = self._connection.topic_name(RECEIVED)
                await producer.send_and_wait(name, value, key=key, headers=headers)
                acknowledged[conversation.conversation_id] = time.perf_counter()
                await asyncio.sleep(self._chance.uniform(_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))

        async def have_all_come() -> bool:
            return acknowledged.keys() <= self._watch.came.keys()

        await eventually(have_all_come, within_seconds=60, what="all live outcomes came")
        return [self._watch.came[name] - at for name, at in acknowledged.items()]


async def measure(report: Report, fleet: Fleet, watch: Watch, options: argparse.Namespace) -> None:
    """Rounds without and with the replay, in turns, and the verdict."""
    live = Live(fleet.connection, watch)
    await live.round(10)  # connections, plans and batch sizes settle
    alone: list[float] = []
    beside: list[float] = []
    for number in range(2 * options.rounds):
        for is_beside in (False, True) if number % 2 == 0 else (True, False):
            await fleet.hold(0 if is_beside else _HOLD_SECONDS, Lane.REPLAY)
            before = watch.by_lane[Lane.REPLAY]
            (beside if is_beside else alone).extend(await live.round(options.conversations))
            if is_beside and watch.by_lane[Lane.REPLAY] == before:
                raise CommandError("the replay did not move while it was measured")
    for name, seconds in (("without a replay", alone), ("beside one", beside)):
        report.note(f"{name}: median {median(seconds):.3f} s, p95 {percentile(seconds, 95):.3f} s of {len(seconds)}")
    report.note(f"{watch.by_lane[Lane.REPLAY]} conversations of the replay were analysed meanwhile")
    report.at_most("live p95 beside a replay ÷ without", percentile(beside, 95) / percentile(alone, 95), 1.2)


async def main(report: Report, options: argparse.Namespace) -> None:
    """A backlog on the replay lane, one analyzer, and live traffic."""
    round_seconds = options.conversations * (_SHORTEST_PAUSE_SECONDS + _LONGEST_PAUSE_SECONDS) / 2
    backlog = int(2 * options.rounds * round_seconds * LIMIT * BATCH * _SPARE)
    async with topics_on(options.kafka) as connection, simulator(LIMIT, options.answer_seconds) as llm:
        await fill(connection, backlog, REPLAY)
        async with fleet_on(connection, llm, LIMIT, BATCH, {}) as fleet, watching(connection) as watch:
            await fleet.hold(_HOLD_SECONDS, Lane.REPLAY)
            await fleet.dealt(await fleet.join())
            await measure(report, fleet, watch, options)
            if watch.by_lane[Lane.REPLAY] >= backlog:
                raise CommandError("the replay ended before the live traffic: take fewer conversations")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--conversations", type=int, default=80, help="live ones in a round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--answer-seconds", type=float, default=0.5, help="what the LLM takes for an answer")
    run(main, parser.parse_args())
