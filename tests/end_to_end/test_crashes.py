"""kill -9 of each service in the middle of 2,000 conversations: nothing is lost and nothing counted twice."""

import asyncio
from functools import partial

import asyncpg
import pytest

from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.waiting import eventually

CONVERSATIONS = 2_000


@pytest.mark.parametrize("kind", ["ingress", "analyzer", "sink"])
async def test_a_killed_service_takes_up_where_it_was(kind: str, pipeline: Deployment) -> None:
    posting = asyncio.create_task(pipeline.post_until_accepted(numbered(CONVERSATIONS)))
    await eventually(partial(some_are_stored, pipeline, 200), what="the first 200 are stored")
    victim = pipeline.the(kind)
    await victim.kill()
    await assert_in_the_middle(pipeline, posting)
    await victim.restart()
    accepted = await posting
    assert len(accepted) == CONVERSATIONS
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)


async def some_are_stored(pipeline: Deployment, count: int) -> bool:
    return bool((await pipeline.status())["conversations"]["completed"] >= count)


async def assert_in_the_middle(pipeline: Deployment, posting: asyncio.Task[set[str]], before: int = 0) -> None:
    """Some conversations are finished and others are not. Asked after the kill, of Postgres: no service need live."""
    stored = await outcomes(pipeline.database_url)
    assert stored > before
    assert not posting.done() or stored < before + CONVERSATIONS, "the kill came when everything was over"


async def outcomes(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM current_outcomes"))
    finally:
        await connection.close()


async def test_all_three_killed_at_once_and_twice_lose_nothing(pipeline: Deployment) -> None:
    accepted: set[str] = set()
    for prefix in ("once", "twice"):  # each kill has conversations of its own: a start takes longer than the rest
        posting = asyncio.create_task(pipeline.post_until_accepted(numbered(CONVERSATIONS, prefix)))
        await eventually(partial(some_are_stored, pipeline, len(accepted) + 150), what="150 more are stored")
        await asyncio.gather(*(service.kill() for service in pipeline.services))
        await assert_in_the_middle(pipeline, posting, len(accepted))
        await pipeline.start()
        accepted |= await posting
        await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)


async def test_every_service_stops_in_order_when_asked(pipeline: Deployment) -> None:
    accepted = await pipeline.post_until_accepted(numbered(300, "stop"))
    assert [await service.stop() for service in pipeline.services] == [0, 0, 0]
    await pipeline.start()
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)
