"""What it costs to store a row in a full database, against one that is nearly empty.

    python -m benchmarks.sink_growth [--large 10000000] [--small 100000] [--conversations 200000] [--postgres URL]

Two databases on one server, filled as benchmarks.fill does. A round stores records from one checkpoint to the end of
the next, and no other may fall into it: what random keys cost (full-page images, then the pages themselves) is paid
once an interval, so an interval must be as long as the server's own (max_wal_size), which ends it while a sink catches
up. In the small database a round is shorter, or it would not stay small. Records are made before the clock runs.
Rounds in the order ABBA. Databases that are filled already (--large-database NAME, --small-database NAME) are used as
they are, and grow by what is stored.
"""

import argparse
import asyncio
import os
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import asyncpg

from benchmarks.fill import Week, filling
from benchmarks.measure import Report, abba, median, run
from benchmarks.sink_consumer import postgres_seconds, postmaster_of
from benchmarks.sink_load import RECORD_TOPICS, batches_of, new_load
from services.sink.batch import Claim, Place
from services.sink.database import open_write_pool
from services.sink.decoding import read_batch
from services.sink.store import Store
from tests.infrastructure.databases import create_migrated_database, drop_database, url_of
from tests.infrastructure.servers import new_postgres, running

_AT_ONCE = 10_000
"""Conversations that are made at once, so that memory stays small."""


@dataclass
class Side:
    """A sink's store on one database."""

    store: Store
    connection: asyncpg.Connection
    conversations: int
    batch: int
    server: int
    claims: dict[Place, Claim] = field(default_factory=dict)
    wal_bytes: list[float] = field(default_factory=list)
    """A conversation, for each round."""
    cpu: list[float] = field(default_factory=list)
    """Microseconds of Postgres a conversation, for each round."""
    checkpoints: list[int] = field(default_factory=list)
    """How many were done in each round."""
    made: int = 0

    async def prepare(self) -> None:
        """Claim the partitions, and store once: plans, caches and the version are there from here on."""
        found = await self.store.claim(dict.fromkeys(RECORD_TOPICS, 0), "benchmark")
        self.claims = {place: one.claim for place, one in found.items()}
        self.made = time.time_ns() // 1000  # numbers that no run before this one has used
        await self._store(_AT_ONCE)

    async def round(self) -> float:
        """Microseconds a conversation and its insight, from a checkpoint to the end of the next one."""
        await self.connection.execute("CHECKPOINT")
        written, done, cpu = await self._written(), await self._checkpoints(), 0.0
        elapsed = 0.0
        for low in range(0, self.conversations, _AT_ONCE):
            took, used = await self._store(min(_AT_ONCE, self.conversations - low))
            elapsed, cpu = elapsed + took, cpu + used
        begun, used = time.perf_counter(), postgres_seconds(self.server)
        await self.connection.execute("CHECKPOINT")
        elapsed += time.perf_counter() - begun
        self.cpu.append((cpu + postgres_seconds(self.server) - used) / self.conversations * 1e6)
        self.wal_bytes.append((await self._written() - written) / self.conversations)
        self.checkpoints.append(await self._checkpoints() - done)
        return elapsed / self.conversations * 1e6

    async def _store(self, count: int) -> tuple[float, float]:
        """Seconds, and CPU seconds of Postgres."""
        load = new_load(count, [self.claims[place].next_offset for place in RECORD_TOPICS], self.made)
        self.made += count
        batches = [(await read_batch(records))[0] for records in batches_of(load, self.batch)]
        begun, used = time.perf_counter(), postgres_seconds(self.server)
        for batch in batches:
            await self.store.store(batch, self.claims)
            for place, next_offset in batch.next_offsets.items():
                self.claims[place] = Claim(self.claims[place].epoch, next_offset)
        return time.perf_counter() - begun, postgres_seconds(self.server) - used

    async def _written(self) -> int:
        return int(await self.connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    async def _checkpoints(self) -> int:
        return int(await self.connection.fetchval("SELECT num_done FROM pg_stat_checkpointer"))


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Fill what is to be filled, run both sides and judge."""
    async with AsyncExitStack() as opened:
        server = options.postgres or opened.enter_context(running(new_postgres())).url
        small = await _filled(opened, server, options.small_database, options.small)
        large = await _filled(opened, server, options.large_database, options.large)
        sides = [
            await _side(opened, large, options.conversations, options.batch),
            await _side(opened, small, options.small_conversations, options.batch),
        ]
        for side in sides:
            await side.prepare()
        costs = await abba(sides[0].round, sides[1].round, options.rounds)
        for name, side, cost in zip((f"{options.large:,}", f"{options.small:,}"), sides, costs, strict=True):
            report.note(
                f"at {name} insights a conversation takes {median(cost):.0f} µs, {median(side.cpu):.0f} µs of "
                f"Postgres' CPU and {median(side.wal_bytes):,.0f} bytes of WAL"
            )
        found = sorted({done for side in sides for done in side.checkpoints})
        report.holds("one checkpoint a round, the one that ends it", is_met=found == [1], found=f"{found}")
        report.at_most("cost a row in the large database against the small", median(costs[0]) / median(costs[1]), 2.5)


async def _filled(opened: AsyncExitStack, server: str, name: str | None, insights: int) -> str:
    if name is not None:
        return url_of(server, name)
    name = f"undertone_growth_{uuid.uuid4().hex[:8]}"
    url = await asyncio.to_thread(create_migrated_database, server, name)
    opened.callback(drop_database, server, name)
    async with filling(url, Week(insights)) as database:
        await database.run()
    return url


async def _side(opened: AsyncExitStack, url: str, conversations: int, batch: int) -> Side:
    pool = await opened.enter_async_context(open_write_pool(url))
    connection = await asyncpg.connect(url, command_timeout=600)
    opened.push_async_callback(connection.close)
    group = f"benchmark-{uuid.uuid4().hex[:8]}"
    server = postmaster_of(await connection.fetchval("SELECT pg_backend_pid()"))
    return Side(Store(pool, group, "benchmark"), connection, conversations, batch, server)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=10_000_000, help="insights in the full database")
    parser.add_argument("--small", type=int, default=100_000, help="insights in the other one")
    parser.add_argument("--large-database", help="the name of one that is filled already")
    parser.add_argument("--small-database", help="likewise")
    parser.add_argument("--conversations", type=int, default=200_000, help="a round in the large database")
    parser.add_argument("--small-conversations", type=int, default=50_000, help="a round in the small one")
    parser.add_argument("--batch", type=int, default=2_000, help="records in a transaction")
    parser.add_argument("--rounds", type=int, default=1, help="of ABBA")
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL; default: a temporary one")
    run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
