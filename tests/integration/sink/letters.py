"""Dead letters as the sink keeps them, made without a pipeline that fails."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import RawRecord
from schemas.dead_letter import DeadLetterReason, Headers, Origin, bury, exhume
from schemas.topics import DEAD_LETTER, RECEIVED, Topic
from services.runtime.kafka import KafkaConnection
from services.sink.columns import dead_letter_values
from services.sink.rows import DeadLetterRow, dead_letter_row
from services.sink.sql import dead_letters as sql
from tests.builders import a_conversation, a_record

FAILED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def a_letter(
    number: int,
    *,
    topic: Topic = RECEIVED,
    value: bytes | None = None,
    key: bytes | None = None,
    headers: Headers | None = None,
    reason: DeadLetterReason = DeadLetterReason.LLM_ERROR,
    detail: str = "the model answered 500 each time",
    failed_at: datetime = FAILED_AT,
) -> DeadLetterRow:
    """The letter of a conversation that was number `number` in its partition; or of the bytes that are given."""
    record = a_record(a_conversation(f"c{number:04}", f"words {number}"), topic=topic, offset=number)
    if value is not None:
        record = replace(record, value=value)
    if key is not None:
        record = replace(record, key=key)
    if headers is not None:
        record = replace(record, headers=headers)
    return letter_of(record, reason=reason, detail=detail, failed_at=failed_at)


def letter_of(
    record: RawRecord,
    *,
    reason: DeadLetterReason = DeadLetterReason.LLM_ERROR,
    detail: str = "the model answered 500 each time",
    failed_at: datetime = FAILED_AT,
) -> DeadLetterRow:
    """The letter of a record that failed."""
    origin = Origin(record.topic, record.partition, record.offset, record.timestamp_ms)
    value, headers = bury(
        record.value,
        record.headers,
        origin=origin,
        reason=reason,
        detail=detail,
        failed_at=failed_at,
        service="analyzer",
    )
    carried = RawRecord(DEAD_LETTER.name, 0, record.offset, record.timestamp_ms, record.key, value, headers)
    return dead_letter_row(exhume(headers), carried)


async def keep(pool: asyncpg.Pool, rows: Sequence[DeadLetterRow]) -> None:
    """Store letters as the sink does."""
    async with pool.acquire() as connection, connection.transaction():
        for row in rows:
            await connection.execute(sql.KEEP, *dead_letter_values(row))


async def states(pool: asyncpg.Pool) -> dict[str, int]:
    """How many letters are in each state."""
    rows = await pool.fetch("SELECT state, count(*) AS letters FROM dead_letters GROUP BY 1")
    return {row["state"]: row["letters"] for row in rows}


async def read_topic(connection: KafkaConnection, topic: Topic) -> list[Any]:
    """Every record that a topic holds now."""
    async with AIOKafkaConsumer(**connection.client_options(), auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(connection.topic_name(topic), number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        records: list[Any] = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    return records
