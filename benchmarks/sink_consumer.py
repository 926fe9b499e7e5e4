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
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import psutil

from benchmarks.measure import Report, abba, median, run
from benchmarks.sink_load import RECORD_TOPICS, batches_of, new_load
from services.sink.batch import Batch, Claim, Place
from services.sink.database import open_write_pool
from services.sink.decoding import PlacedRecord, Unreadable, read_batch
from services.sink.store import Store
from tests.infrastructure.databases import create_migrated_database, drop_database
from tests.infrastructure.servers import new_postgres, running

TWINS = ("conversations", "conversation_turns", "insights")


class Bench:
    """Both sides, on one database."""

    def __init__(self, pool: asyncpg.Pool, connection: Any, count: int, batch: int) -> None:
        self._pool = pool
        self._connection = connection
        self._count = count
        self._batch = batch
        self._store = Store(pool, "benchmark", "benchmark")
        self._claims: dict[Place, Claim] = {}
        self._server = 0
        self.our_cpu: list[float] = []
        self.postgres_cpu: list[float] = []
        self.copy_cpu: list[float] = []

    async def prepare(self) -> None:
        """Claim the partitions, make the twins."""
        self._server = postmaster_of(await self._connection.fetchval("SELECT pg_backend_pid()"))
        found = await self._store.claim(dict.fromkeys(RECORD_TOPICS, 0), "benchmark")
        self._claims = {place: one.claim for place, one in found.items()}
        await self._connection.execute("CREATE SCHEMA twin")
        for table in TWINS:
            await self._connection.execute(f"CREATE TABLE twin.{table} (LIKE public.{table} INCLUDING ALL)")

    async def sink_round(self) -> float:
        """Seconds for a round of the sink."""
        load = new_load(self._count, [self._claims[place].next_offset for place in RECORD_TOPICS])
        gc.freeze()  # a consumer fetches its records batch by batch: it has no heap of them to walk
        begun, ours, theirs = time.perf_counter(), time.process_time(), postgres_seconds(self._server)
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
        self.postgres_cpu.append((postgres_seconds(self._server) - theirs) / self._count * 1e6)
        return elapsed

    async def copy_round(self) -> float:
        """Seconds for COPY of the rows that the sink's last round stored."""
        rows = {table: await self._last_rows(table) for table in TWINS}
        await self._connection.execute(f"TRUNCATE {', '.join(f'twin.{table}' for table in TWINS)}")
        begun, ours, theirs = time.perf_counter(), time.process_time(), postgres_seconds(self._server)
        for low in range(0, self._count, self._batch):
            async with self._connection.transaction():
                for table in TWINS:
                    await self._connection.copy_records_to_table(
                        table, schema_name="twin", records=rows[table][low : low + self._batch]
                    )
        elapsed = time.perf_counter() - begun
        cpu = time.process_time() - ours + postgres_seconds(self._server) - theirs
        self.copy_cpu.append(cpu / self._count * 1e6)
        return elapsed

    async def _last_rows(self, table: str) -> list[tuple[Any, ...]]:
        rows = await self._connection.fetch(
            f"SELECT t.* FROM {table} t JOIN conversations c USING (conversation_id) "
            "ORDER BY c.revision_ms DESC, c.revision_offset LIMIT $1",
            self._count,
        )
        return [tuple(row) for row in rows]


def _read_next(batches: Iterator[list[PlacedRecord]]) -> asyncio.Task[tuple[Batch, list[Unreadable]]] | None:
    records = next(batches, None)
    return None if records is None else asyncio.create_task(read_batch(records))


def postmaster_of(backend: int) -> int:
    """The server process that a backend belongs to; 0 when it runs on another machine or in a container."""
    try:
        process = psutil.Process(backend)
        return process.ppid() if process.name() == "postgres" else 0
    except psutil.Error:
        return 0


def postgres_seconds(server: int) -> float:
    """CPU time of a server and its backends so far, in seconds; what has ended is not counted."""
    total = 0.0
    if server:
        parent = psutil.Process(server)
        for process in (parent, *parent.children()):
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
        f"CPU a conversation: {median(bench.our_cpu):.0f} µs ours, {median(bench.postgres_cpu):.0f} µs Postgres; "
        f"COPY {median(bench.copy_cpu):.0f} µs for both ends"
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
