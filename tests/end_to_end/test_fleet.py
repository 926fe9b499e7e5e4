"""Two analyzers and two sinks, one of each joining and leaving in the middle, also while calls are held."""

import asyncio
from functools import partial
from itertools import chain

from schemas.analysis_control import HoldDeclared
from schemas.codec import encode
from schemas.envelope import new_envelope
from schemas.topics import CONTROL, RECEIVED
from tests.builders import NOW
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment, Service
from tests.end_to_end.kafka_clients import produce
from tests.waiting import eventually

ASSIGNMENT_SECONDS = 10


async def dealt_out(*analyzers: Service) -> bool:
    """Whether every partition of the live lane is one analyzer's, and none has more than its part."""
    owned = [(await analyzer.health())["partitions"].get("live", []) for analyzer in analyzers]
    each = RECEIVED.partitions // len(analyzers)
    return sorted(chain(*owned)) == list(range(RECEIVED.partitions)) and {len(part) for part in owned} == {each}


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
    await eventually(partial(dealt_out, first, second), within_seconds=ASSIGNMENT_SECONDS)
    await eventually(partial(stored, pipeline, 500))
    assert set(await asyncio.gather(second.stop(), second_sink.stop())) == {0}
    await eventually(partial(dealt_out, first), within_seconds=ASSIGNMENT_SECONDS)
    accepted = await posting
    accepted |= await pipeline.post_until_accepted(numbered(200, "afterwards"))
    await pipeline.settled(accepted, within_seconds=ASSIGNMENT_SECONDS)
    await assert_exact(pipeline.database_url, accepted)


async def test_an_analyzer_joins_and_one_is_killed_while_calls_are_held(pipeline: Deployment) -> None:
    first = pipeline.the("analyzer")
    await eventually(partial(dealt_out, first), within_seconds=ASSIGNMENT_SECONDS)
    await declare_hold(pipeline, 600)
    await eventually(partial(is_held, first), what="the hold is obeyed")
    accepted = await pipeline.post_until_accepted(numbered(400, "held"))
    second = pipeline.add("analyzer", "analyzer-2")
    await second.start(wait=False)
    await eventually(partial(all_answer, first, second), within_seconds=60)
    await eventually(partial(dealt_out, first, second), within_seconds=ASSIGNMENT_SECONDS)
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await first.kill()
    await first.start(wait=False)
    await eventually(partial(all_answer, first, second), within_seconds=60)
    await eventually(partial(dealt_out, first, second), within_seconds=ASSIGNMENT_SECONDS)
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await declare_hold(pipeline, 0)
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)


async def is_held(service: Service) -> bool:
    return await service.metric("undertone_analysis_held", lane="live") == 1


async def all_answer(*services: Service) -> bool:
    """Whether each answers at all: a process needs a moment to start."""
    return all([(await service.readiness())[0] for service in services])
