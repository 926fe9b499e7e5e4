"""Kafka away for 20 seconds, Postgres away for 20 seconds: nothing is lost, everything resumes by itself."""

import asyncio
import time

from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.http_client import http_client
from tests.infrastructure import OwnStack
from tests.waiting import eventually

OUTAGE_SECONDS = 20


async def test_kafka_stopped_for_a_while(own_stack: OwnStack, own_deployment: Deployment) -> None:
    accepted = await own_deployment.post_until_accepted(numbered(300, "before"))
    await own_stack.stop_kafka()
    began = time.monotonic()
    answers = [await own_deployment.post(tried(number)) for number in range(10)]
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] for answer in answers)

    posting = asyncio.create_task(own_deployment.post_until_accepted(numbered(700, "during")))
    await asyncio.sleep(max(0, OUTAGE_SECONDS - (time.monotonic() - began)))  # the outage itself: there is no condition
    await own_stack.start_kafka()
    accepted |= await posting
    accepted |= await own_deployment.post_until_accepted([tried(number) for number in range(10)])
    await own_deployment.settled(accepted)
    await assert_exact(own_deployment.database_url, accepted)
    for service in own_deployment.services:
        await service.ready()


def tried(number: int) -> dict[str, object]:
    return {"conversation_id": f"tried-{number}", "turns": [{"text": "I want my money back for this broken thing."}]}


async def test_postgres_stopped_for_a_while(own_stack: OwnStack, own_deployment: Deployment) -> None:
    accepted = await own_deployment.post_until_accepted(numbered(300, "before"))
    await own_stack.stop_postgres()
    began = time.monotonic()
    accepted |= await own_deployment.post_until_accepted(numbered(700, "during"))
    await eventually(lambda: answers_503(own_deployment), what="the read API says that Postgres is away")
    await asyncio.sleep(max(0, OUTAGE_SECONDS - (time.monotonic() - began)))  # the outage itself: there is no condition
    await own_stack.start_postgres()
    await own_deployment.settled(accepted)
    await assert_exact(own_deployment.database_url, accepted)
    await own_deployment.the("sink").ready()


async def answers_503(deployment: Deployment) -> bool:
    sink = deployment.the("sink")
    async with http_client(timeout=10) as client:
        answer = await client.get(f"{sink.url}/api/v1/insights")
    ready, _ = await sink.readiness()
    return (answer.status_code, ready, answer.headers["content-type"]) == (503, 503, "application/problem+json")
