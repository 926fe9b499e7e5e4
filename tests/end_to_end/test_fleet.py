"""Two analyzers and two sinks, one of each joining and leaving in the middle, also while calls are held."""

import asyncio
from functools import partial

from schemas.analysis_control import HoldDeclared
from schemas.codec import encode
from schemas.envelope import new_envelope
from schemas.topics import CONTROL
from tests.builders import NOW
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment, Service
from tests.end_to_end.kafka_clients import produce
from tests.waiting import eventually

ASSIGNMENT_SECONDS = 10
SHARE = "undertone_analysis_share"


async def shares_are(services: list[Service], expected: list[float]) -> bool:
    return [round(await service.metric(SHARE), 2) for service in services] == expected


async def stored(pipeline: Deployment, count: int) -> bool:
    counts = (await pipeline.status())["conversations"]
    return bool(counts["completed"] + counts["skipped"] >= count)


async def declare_hold(pipeline: Deployment, seconds: float) -> None:
    event = HoldDeclared(hold_seconds=seconds, reason="an end-to-end test", declared_by="test")
    value, headers = encode(event, new_envelope("/undertone/test", NOW))
    await produce(pipeline, CONTROL, b"hold", value, headers)


async def test_an_analyzer_and_a_sink_join_and_leave_in_the_middle(pipeline: Deployment) -> None:
    first = pipeline.the("analyzer")
    second, second_sink = pipeline.add("analyzer", "analyzer-2"), pipeline.add("sink", "sink-2")
    posting = asyncio.create_task(pipeline.post_until_accepted(numbered(2_000, "fleet")))
    await eventually(partial(stored, pipeline, 100))
    await asyncio.gather(second.start(), second_sink.start())
    await eventually(partial(shares_are, [first, second], [0.5, 0.5]), within_seconds=ASSIGNMENT_SECONDS)
    await eventually(partial(stored, pipeline, 500))
    assert set(await asyncio.gather(second.stop(), second_sink.stop())) == {0}
    # A static member that leaves is missed only when its session ends: until then its partitions wait.
    accepted = await posting
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)
    assert await shares_are([first], [1.0])


async def test_an_analyzer_joins_and_one_is_killed_while_calls_are_held(pipeline: Deployment) -> None:
    first = pipeline.the("analyzer")
    await eventually(partial(shares_are, [first], [1.0]), within_seconds=ASSIGNMENT_SECONDS)
    await declare_hold(pipeline, 600)
    await eventually(partial(is_held, first), what="the hold is obeyed")
    accepted = await pipeline.post_until_accepted(numbered(400, "held"))
    second = pipeline.add("analyzer", "analyzer-2")
    await second.start(wait=False)
    await eventually(partial(shares_are_reachable, [first, second]), within_seconds=60)
    await eventually(partial(shares_are, [first, second], [0.5, 0.5]), within_seconds=ASSIGNMENT_SECONDS)
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await first.kill()
    await first.start(wait=False)
    await eventually(partial(shares_are_reachable, [first, second]), within_seconds=60)
    await eventually(partial(shares_are, [first, second], [0.5, 0.5]), within_seconds=ASSIGNMENT_SECONDS)
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await declare_hold(pipeline, 0)
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)


async def is_held(service: Service) -> bool:
    return await service.metric("undertone_analysis_held", lane="live") == 1


async def shares_are_reachable(services: list[Service]) -> bool:
    """Whether each answers at all: a process needs a moment to start."""
    return all([(await service.readiness())[0] for service in services])
