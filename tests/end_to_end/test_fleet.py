"""A second analyzer and a second sink join and leave in the middle, and while calls are held.

Within ten seconds of answering at all (or of having left) the partitions are dealt out among those that are there.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import chain

from schemas.analysis_control import HoldDeclared
from schemas.codec import encode
from schemas.envelope import new_envelope
from schemas.topics import CONTROL, RECEIVED
from services.sink.decoding import SINK_TOPICS
from tests.builders import NOW
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment, Service
from tests.end_to_end.kafka_clients import produce
from tests.waiting import eventually

ASSIGNMENT_SECONDS = 10
START_SECONDS = 60
SINK_PARTITIONS = sum(topic.partitions for topic in SINK_TOPICS)


async def dealt_out(*analyzers: Service) -> bool:
    """Whether every partition of the live lane is one analyzer's, and none has more than its part."""
    owned = [(await analyzer.health())["partitions"].get("live", []) for analyzer in analyzers]
    each = RECEIVED.partitions // len(analyzers)
    return sorted(chain(*owned)) == list(range(RECEIVED.partitions)) and {len(part) for part in owned} == {each}


async def claimed(*sinks: Service) -> bool:
    """Whether each partition is claimed by one sink, and each sink has its part of every topic with enough of them."""
    parts = [await sink.metric("undertone_sink_partitions", state="claimed") for sink in sinks]
    least = sum(topic.partitions // len(sinks) for topic in SINK_TOPICS)
    assert sum(parts) == SINK_PARTITIONS, parts
    assert min(parts) >= least, parts
    assert not any([await sink.metric("undertone_sink_partitions", state="stopped") for sink in sinks])
    return True


async def are_dealt_out(analyzers: Sequence[Service], sinks: Sequence[Service]) -> None:
    """Both groups at once: ten seconds are for the two of them."""
    await asyncio.gather(
        eventually(
            partial(dealt_out, *analyzers), within_seconds=ASSIGNMENT_SECONDS, what="analyzers have their parts"
        ),
        eventually(partial(claimed, *sinks), within_seconds=ASSIGNMENT_SECONDS, what="sinks have their parts"),
    )


async def join(*services: Service) -> None:
    """Start them, and wait until they answer at all: not until they are ready, which includes being dealt a part."""
    for service in services:
        await service.start(wait=False)
    await eventually(partial(all_answer, *services), within_seconds=START_SECONDS, what="the newcomers answer")


async def stored(pipeline: Deployment, count: int) -> bool:
    counts = (await pipeline.status())["conversations"]
    return bool(counts["completed"] + counts["skipped"] >= count)


async def declare_hold(pipeline: Deployment, seconds: float) -> None:
    event = HoldDeclared(hold_seconds=seconds, reason="an end-to-end test", declared_by="test")
    value, headers = encode(event, new_envelope("/undertone/test", NOW))
    await produce(pipeline, CONTROL, b"hold", value, headers)


async def test_an_analyzer_and_a_sink_join_and_leave_in_the_middle(pipeline: Deployment) -> None:
    first, first_sink = pipeline.the("analyzer"), pipeline.the("sink")
    second, second_sink = pipeline.add("analyzer", "analyzer-2"), pipeline.add("sink", "sink-2")
    posting = asyncio.create_task(pipeline.post_until_accepted(numbered(2_000, "fleet")))
    await eventually(partial(stored, pipeline, 100), what="the first 100 are stored")
    await join(second, second_sink)
    await are_dealt_out((first, second), (first_sink, second_sink))
    await eventually(partial(stored, pipeline, 500), what="the first 500 are stored")
    assert set(await asyncio.gather(second.stop(), second_sink.stop())) == {0}
    await are_dealt_out((first,), (first_sink,))
    accepted = await posting
    accepted |= await pipeline.post_until_accepted(numbered(200, "afterwards"))
    await pipeline.settled(accepted, within_seconds=ASSIGNMENT_SECONDS)
    await assert_exact(pipeline.database_url, accepted)


async def test_others_join_and_an_analyzer_is_killed_while_calls_are_held(pipeline: Deployment) -> None:
    first, first_sink = pipeline.the("analyzer"), pipeline.the("sink")
    await are_dealt_out((first,), (first_sink,))
    await declare_hold(pipeline, 600)
    await eventually(partial(is_held, first), what="the hold is obeyed")
    accepted = await pipeline.post_until_accepted(numbered(400, "held"))
    second, second_sink = pipeline.add("analyzer", "analyzer-2"), pipeline.add("sink", "sink-2")
    await join(second, second_sink)
    await are_dealt_out((first, second), (first_sink, second_sink))
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await first.kill()
    await join(first)
    await are_dealt_out((first, second), (first_sink, second_sink))
    assert (await pipeline.status())["conversations"]["completed"] == 0
    await declare_hold(pipeline, 0)
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)


async def is_held(service: Service) -> bool:
    return await service.metric("undertone_analysis_held", lane="live") == 1


async def all_answer(*services: Service) -> bool:
    """Whether each answers at all, ready or not."""
    return all([(await service.readiness())[0] for service in services])
