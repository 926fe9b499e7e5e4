"""The replay lane held does not slow the live lane."""

import time

from schemas.topics import REPLAY
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment, Service
from tests.end_to_end.kafka_clients import produce_conversation
from tests.waiting import eventually

HELD_SECONDS = 60
ROUND = 50


async def test_a_held_replay_lane_does_not_slow_the_live_lane(pipeline: Deployment) -> None:
    analyzer = pipeline.the("analyzer")
    for number in range(200):
        replayed = {"conversation_id": f"replayed-{number}", "turns": [{"text": "The lamp arrived broken again."}]}
        headers = [("undertone_analysis_version", b"from-the-future-9"), ("undertone_revision", b"1700000000000-1")]
        await produce_conversation(pipeline, REPLAY, replayed, headers)
    await eventually(lambda: says_which_version_is_unknown(analyzer), what="readiness names the unknown version")
    accepted: set[str] = set()
    until = time.monotonic() + HELD_SECONDS
    while time.monotonic() < until:
        accepted |= await pipeline.post_until_accepted(numbered(ROUND, "live", start=len(accepted)))
        await pipeline.settled(accepted)  # which the held lane would not let it, ever
    assert len(accepted) > ROUND
    await assert_exact(pipeline.database_url, accepted)
    assert await says_which_version_is_unknown(analyzer)


async def says_which_version_is_unknown(analyzer: Service) -> bool:
    status, body = await analyzer.readiness()
    return status == 503 and "from-the-future-9" in str(body)
