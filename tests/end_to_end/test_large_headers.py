"""Nine mebibytes of headers, which only a compressed batch can bring in: read, and cut in a dead letter."""

import json

from schemas.dead_letter import TRUNCATED_BYTES, DeadLetter, Headers, exhume, is_dead_letter_header
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, Topic
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import produce, read_all
from tests.waiting import eventually

MIB = 1024 * 1024
SENDER = ("x-sender", b"shop")
HEADERS: list[tuple[str, bytes]] = [SENDER, *((f"x-{number}", b"h" * MIB) for number in range(9))]
POISON = b"\xff\xfe\x00 not an event"


async def test_headers_that_no_dead_letter_can_carry_harm_nobody(pipeline: Deployment) -> None:
    accepted = await pipeline.post_until_accepted(numbered(20, "before"))
    for topic in (RECEIVED, ANALYZED):
        await produce_compressed(pipeline, topic, b"poison", POISON)
    good = {"conversation_id": "good", "turns": [{"text": "My router is broken and I want a refund."}]}
    await produce_compressed(pipeline, RECEIVED, b"good", json.dumps(good).encode())
    accepted |= {"good"} | await pipeline.post_until_accepted(numbered(20, "after"))
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)

    for letter, value, headers in await eventually(lambda: buried(pipeline), what="two dead letters are written"):
        assert (value, letter.is_truncated) == (POISON, True)
        assert [header for header in headers if not is_dead_letter_header(header[0])] == [SENDER]
        assert sum(len(content) for _, content in headers) < TRUNCATED_BYTES
    for service in pipeline.services:
        await service.ready()


async def produce_compressed(pipeline: Deployment, topic: Topic, key: bytes, value: bytes) -> None:
    await produce(pipeline, topic, key, value, HEADERS, compression_type="gzip")


async def buried(pipeline: Deployment) -> list[tuple[DeadLetter, bytes | None, Headers]]:
    """The dead letters, once both are there."""
    found = [(exhume(one.headers), one.value, one.headers) for one in await read_all(pipeline, DEAD_LETTER)]
    origins = sorted(letter.origin.topic for letter, _, _ in found)
    return found if origins == sorted([RECEIVED.name, ANALYZED.name]) else []
