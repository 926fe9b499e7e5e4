"""What the sink takes to store a conversation and its insight exactly once, against COPY of the same rows.

    python -m benchmarks.sink_consumer [--conversations 20000] [--batch 2000] [--postgres URL]

The sink's side starts from records as Kafka delivers them and ends with committed transactions: decoding, postings,
insights, pointers, rollups, statuses and offsets. COPY's side has its rows ready and fills twin tables with the same
indexes. Rounds in the order ABBA on one Postgres; rows are conversations plus insights. Printed too: CPU a
conversation, ours and Postgres', and the bytes of one on disk with its indexes.
"""

import argparse
import asyncio
import gc
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psutil

from benchmarks.measure import Report, abba, median, run
from schemas.codec import RawRecord, encode
from schemas.conversation_received import ConversationReceived, Role, Turn, content_hash_of
from schemas.envelope import new_envelope
from schemas.event import Revision
from schemas.insight_produced import InsightProduced, Path, Sentiment, insight_id_of
from schemas.topics import ANALYZED, RECEIVED
from services.sink.batch import Batch, Claim, Place
from services.sink.database import open_write_pool
from services.sink.decoding import PlacedRecord, Unreadable, read_batch
from services.sink.store import Store
from tests.infrastructure.databases import create_migrated_database, drop_database
from tests.infrastructure.servers import new_postgres, running

TURNS = 5
SUBJECTS = ("delivery", "refund", "billing", "account", "cancellation", "baggage", "booking", "other")
SENTENCE = "I have been waiting for an answer since last week and nobody tells me where number {} is. "
TWINS = ("conversations", "conversation_turns", "insights")
RECORD_TOPICS = (Place(RECEIVED.name, 0), Place(ANALYZED.name, 0))


@dataclass(frozen=True)
class Load:
    """One round's records, in the order of their offsets, received ones first."""

    received: list[RawRecord]
    analyzed: list[RawRecord]


def conversation(name: str, number: int, now: datetime) -> ConversationReceived:
    turns = tuple(
        Turn(role=Role.AGENT if turn % 2 else Role.CUSTOMER, text=SENTENCE.format(number * TURNS + turn))
        for turn in range(TURNS)
    )
    return ConversationReceived(
        conversation_id=name,
        received_at=now,
        occurred_at=now - timedelta(seconds=number % 3600),
        turns=turns,
        channel="chat",
        content_hash=content_hash_of(turns),
    )


def insight(said: ConversationReceived, revision: Revision, number: int) -> InsightProduced:
    subject = SUBJECTS[number % len(SUBJECTS)]
    return InsightProduced(
        conversation_id=said.conversation_id,
        revision=revision,
        content_hash=said.content_hash,
        analysis_version="offline-1",
        occurred_at=said.occurred_at,
        channel=said.channel,
        insight_id=insight_id_of(said.conversation_id, said.content_hash, "offline-1"),
        sentiment_score=(number * 7919 % 2001 - 1000) / 1000,
        sentiment=Sentiment.UNKNOWN,
        clusters=(subject,),
        topics=(subject,),
        confidence=0.8,
        reasoning="The customer waits for an answer: “since last week and nobody tells me”.",
        evidence="since last week and nobody tells me",
        summary="The customer has waited for an answer since last week.",
        path=Path.OFFLINE,
        model="offline-1",
        batch_id=uuid.uuid4(),
        started_at=said.received_at,
        analyzed_at=said.received_at,
    )


def new_load(count: int, first_offsets: Sequence[int]) -> Load:
    """Fresh conversations; their ids are ordered by time, as those of the ingress are."""
    now = datetime.now(UTC)
    timestamp_ms = int(now.timestamp() * 1000)
    tag = uuid.uuid4().hex[:8]
    load = Load([], [])
    for number in range(count):
        said = conversation(f"conv_{timestamp_ms:012x}{number:06}{tag}", number, now)
        offset = first_offsets[0] + number
        for topic, records, event, place in (
            (RECEIVED, load.received, said, offset),
            (ANALYZED, load.analyzed, insight(said, Revision(timestamp_ms, offset), number), first_offsets[1] + number),
        ):
            value, headers = encode(event, new_envelope("/undertone/benchmark", now))
            key = said.conversation_id.encode()
            records.append(RawRecord(topic.name, 0, place, timestamp_ms, key, value, headers))
    return load


class Bench:
    """Both sides, on one database."""

    def __init__(self, pool: asyncpg.Pool, connection: Any, count: int, batch: int) -> None:
        self._pool = pool
        self._connection = connection
        self._count = count
        self._batch = batch
        self._store = Store(pool, "benchmark", "benchmark")
        self._claims: dict[Place, Claim] = {}
        self.our_cpu: list[float] = []
        self.postgres_cpu: list[float] = []

    async def prepare(self) -> None:
        """Claim the partitions, make the twins."""
        found = await self._store.claim(dict.fromkeys(RECORD_TOPICS, 0), "benchmark")
        self._claims = {place: one.claim for place, one in found.items()}
        await self._connection.execute("CREATE SCHEMA twin")
        for table in TWINS:
            await self._connection.execute(f"CREATE TABLE twin.{table} (LIKE public.{table} INCLUDING ALL)")

    async def sink_round(self) -> float:
        """Seconds for a round of the sink."""
        load = new_load(self._count, [self._claims[place].next_offset for place in RECORD_TOPICS])
        gc.freeze()  # a consumer fetches its records batch by batch: it has no heap of them to walk
        begun, ours, theirs = time.perf_counter(), time.process_time(), postgres_seconds()
        batches = batches_of(load, self._batch)
        reading = _read_next(batches)
        while reading is not None:
            batch, unreadable = await reading
            assert not unreadable
            reading = _read_next(batches)  # while this one is stored, as the consumer does
            await self._store.store(batch, self._claims)
            for place, next_offset in batch.next_offsets.items():
                self._claims[place] = Claim(self._claims[place].epoch, next_offset)
        elapsed = time.perf_counter() - begun
        gc.unfreeze()
        self.our_cpu.append((time.process_time() - ours) / self._count * 1e6)
        self.postgres_cpu.append((postgres_seconds() - theirs) / self._count * 1e6)
        return elapsed

    async def copy_round(self) -> float:
        """Seconds for COPY of the rows that the sink's last round stored."""
        rows = {table: await self._last_rows(table) for table in TWINS}
        await self._connection.execute(f"TRUNCATE {', '.join(f'twin.{table}' for table in TWINS)}")
        begun = time.perf_counter()
        for low in range(0, self._count, self._batch):
            async with self._connection.transaction():
                for table in TWINS:
                    await self._connection.copy_records_to_table(
                        table, schema_name="twin", records=rows[table][low : low + self._batch]
                    )
        return time.perf_counter() - begun

    async def _last_rows(self, table: str) -> list[tuple[Any, ...]]:
        rows = await self._connection.fetch(
            f"SELECT t.* FROM {table} t JOIN conversations c USING (conversation_id) "
            "ORDER BY c.revision_ms DESC, c.revision_offset LIMIT $1",
            self._count,
        )
        return [tuple(row) for row in rows]


def batches_of(load: Load, size: int) -> Iterator[list[PlacedRecord]]:
    """As a sink gets them that is behind: as many postings as outcomes in each batch."""
    half = size // 2
    for low in range(0, len(load.received), half):
        received = load.received[low : low + half]
        analyzed = load.analyzed[low : low + half]
        yield [PlacedRecord(Place(one.topic, 0), one) for one in (*received, *analyzed)]


def _read_next(batches: Iterator[list[PlacedRecord]]) -> asyncio.Task[tuple[Batch, list[Unreadable]]] | None:
    records = next(batches, None)
    return None if records is None else asyncio.create_task(read_batch(records))


def postgres_seconds() -> float:
    """CPU time of all Postgres processes of this machine, in seconds."""
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
    return total


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Run both sides and judge."""
    with ExitStack() as opened:
        server = options.postgres or opened.enter_context(running(new_postgres())).url
        name = f"undertone_benchmark_{uuid.uuid4().hex[:8]}"
        url = await asyncio.to_thread(create_migrated_database, server, name)
        opened.callback(drop_database, server, name)
        connection = await asyncpg.connect(url, command_timeout=300)
        async with open_write_pool(url) as pool:
            bench = Bench(pool, connection, options.conversations, options.batch)
            await bench.prepare()
            await bench.sink_round()  # plans, caches and the version are there from here on
            ours, copies = await abba(bench.sink_round, bench.copy_round, options.rounds)
            await judge(report, bench, connection, options.conversations, ours=ours, copies=copies)
        await connection.close()


async def judge(
    report: Report, bench: Bench, connection: Any, count: int, *, ours: list[float], copies: list[float]
) -> None:
    """Print the figures."""
    rate, copied = 2 * count / median(ours), 2 * count / median(copies)
    report.note(f"the sink stores {rate:,.0f} rows/s, COPY {copied:,.0f} rows/s")
    report.at_least("rows/s against COPY into twin tables", rate / copied, 0.3, aim=0.5)
    report.note(
        f"CPU a conversation: {median(bench.our_cpu):.0f} µs ours, {median(bench.postgres_cpu):.0f} µs Postgres"
    )
    report.at_most("CPU a conversation", median(bench.our_cpu) + median(bench.postgres_cpu), 400, unit="µs", aim=300)
    stored = await connection.fetchval(
        "SELECT sum(pg_total_relation_size(oid)) / (SELECT count(*) FROM conversations) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    report.at_most("bytes a conversation of five turns in Postgres", float(stored), 5_000)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=20_000, help="a round")
    parser.add_argument("--batch", type=int, default=2_000, help="records in a transaction")
    parser.add_argument("--rounds", type=int, default=2, help="of ABBA")
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL; default: a temporary one")
    run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
