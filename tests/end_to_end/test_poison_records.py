"""A poison record in each topic: it is buried with its bytes and a reason, and its neighbours pass."""

from collections import Counter

import asyncpg

from schemas.dead_letter import DeadLetterReason, exhume
from schemas.topics import ANALYZED, CONTROL, DEAD_LETTER, RECEIVED, REPLAY, STARTED
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import produce, read_all
from tests.waiting import eventually

POISON = b"\xff\xfe\x00 not an event"


async def test_a_poison_record_in_each_topic_harms_nobody(pipeline: Deployment) -> None:
    accepted = await pipeline.post_until_accepted(numbered(50, "before"))
    for topic in (RECEIVED, REPLAY, ANALYZED, STARTED, CONTROL, DEAD_LETTER):
        await produce(pipeline, topic, b"poison", POISON, [("ce_type", b"\xff")])
        await produce(pipeline, topic, b"tombstone", None)
    accepted |= await pipeline.post_until_accepted(numbered(50, "after"))
    await pipeline.settled(accepted)
    await assert_exact(pipeline.database_url, accepted)

    letters = await eventually(lambda: buried(pipeline), what="six dead letters are written")
    assert {value for _, value in letters} == {POISON, b""}
    assert len(await read_all(pipeline, DEAD_LETTER)) == len(letters) + 2
    await eventually(lambda: every_letter_is_a_row(pipeline), what="the eight dead letters are rows")
    for service in pipeline.services:
        await service.ready()


async def buried(pipeline: Deployment) -> list[tuple[str, bytes]]:
    """Origin and bytes of each dead letter that we wrote: two of each topic whose records count."""
    found = []
    for record in await read_all(pipeline, DEAD_LETTER):
        if any(name == "undertone_dead_letter_id" for name, _ in record.headers):
            letter = exhume(record.headers)
            assert letter.reason in {DeadLetterReason.UNDECODABLE, DeadLetterReason.UNKNOWN_TYPE}
            found.append((letter.origin.topic, record.value or b""))
    origins = sorted(topic for topic, _ in found)
    return found if origins == sorted([RECEIVED.name, REPLAY.name, ANALYZED.name] * 2) else []


async def every_letter_is_a_row(pipeline: Deployment) -> bool:
    """Two of each topic whose records count, and the two that a stranger wrote among the dead letters themselves."""
    connection = await asyncpg.connect(pipeline.database_url)
    try:
        rows = await connection.fetch("SELECT origin_topic, reason FROM dead_letters")
    finally:
        await connection.close()
    assert Counter(row["origin_topic"] for row in rows) == {
        topic.name: 2 for topic in (RECEIVED, REPLAY, ANALYZED, DEAD_LETTER)
    }
    strangers = {row["reason"] for row in rows if row["origin_topic"] == DEAD_LETTER.name}
    assert strangers == {DeadLetterReason.UNKNOWN.value}
    return True
