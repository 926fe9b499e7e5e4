"""Records near and above the limit: 3.9 MiB passes the whole pipeline, 5 MiB is refused at the door."""

import json

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from schemas.topics import RECEIVED
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import produce, produce_conversation

MIB = 1024 * 1024


def a_conversation_of(size: int) -> dict[str, object]:
    """About `size` bytes in turns of 19,000 characters, the complaint first and last."""
    filler = "The agent read the contract to me once more. " * 420
    turns = [{"role": "agent", "text": filler[:19_000]} for _ in range(size // 19_050)]
    complaint = {"role": "customer", "text": "This is the worst service, my router is broken and I want a refund."}
    return {"conversation_id": f"large-{size}", "turns": [complaint, *turns, complaint]}


async def test_a_conversation_of_nearly_four_mebibytes_is_analysed(pipeline: Deployment) -> None:
    large = a_conversation_of(int(3.9 * MIB))
    assert 3.8 * MIB < len(json.dumps(large)) < 4 * MIB
    await produce_conversation(pipeline, RECEIVED, large)
    accepted = {str(large["conversation_id"])} | await pipeline.post_until_accepted(numbered(20, "beside"))
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)
    assert (await pipeline.conversation(str(large["conversation_id"])))["status"] == "completed"


async def test_a_record_of_five_mebibytes_is_refused_and_nothing_else_suffers(pipeline: Deployment) -> None:
    huge = a_conversation_of(5 * MIB)
    with pytest.raises(MessageSizeTooLargeError):
        await produce(pipeline, RECEIVED, b"large", json.dumps(huge).encode())
    answer = await pipeline.post(huge)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    accepted = await pipeline.post_until_accepted(numbered(20, "beside"))
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)
