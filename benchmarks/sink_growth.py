"""What it costs to store a row in a full database, against one that is nearly empty.

    python -m benchmarks.sink_growth [--large 10000000] [--small 100000] [--conversations 50000] [--postgres URL]

Two databases on one server, filled as benchmarks.fill does. A round stores the same records in one of them, begins
after a checkpoint and ends with one: what random keys cost (full-page images, then the pages themselves) falls into
it. Rounds in the order ABBA. Databases that are filled already (--large-database NAME, --small-database NAME) are used
as they are, and grow by what is stored.
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
from benchmarks.sink_load import RECORD_TOPICS, batches_of, new_load
from services.sink.batch import Claim, Place
from services.sink.database import open_write_pool
from services.sink.decoding import read_batch
from services.sink.store import Store
from tests.infrastructure.databases import create_migrated_database, drop_database, url_of
from tests.infrastructure.servers import new_postgres, running


@dataclass
class Side:
    """A sink's store on one database."""

    store: Store
    connection: asyncpg.Connection
    conversations: int
    batch: int
    claims: dict[Place, Claim] = field(default_factory=dict)
    wal_bytes: list[float] = field(default_factory=list)
    """A conversation, for each round."""

    async def prepare(self) -> None:
        """Claim the partitions, and store once: plans, caches and the version are there from here on."""
        found = await self.store.claim(dict.fromkeys(RECORD_TOPICS, 0), "benchmark")
        self.claims = {place: one.claim for place, one in found.items()}
        await self.round()

    async def round(self) -> float:
        """Microseconds a conversation and its insight, from a checkpoint to the end of the next one."""
        load = new_load(self.conversations, [self.claims[place].next_offset for place in RECORD_TOPICS])
        batches = [(await read_batch(records))[0] for records in batches_of(load, self.batch)]
        await self.connection.execute("CHECKPOINT")
        written = await self._written()
        begun = time.perf_counter()
        for batch in batches:
            await self.store.store(batch, self.claims)
            for place, next_offset in batch.next_offsets.items():
                self.claims[place] = Claim(self.claims[place].epoch, next_offset)
        await self.connection.execute("CHECKPOINT")
        elapsed = time.perf_counter() - begun
        self.wal_bytes.append((await self._written() - written) / self.conversations)
        return elapsed / self.conversations * 1e6

    async def _written(self) -> int:
        return int(await self.connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


async def measure(report: Report, options: argparse.Namespace) -> None:
    """Fill what is to be filled, run both sides and judge."""
    async with AsyncExitStack() as opened:
        server = options.postgres or opened.enter_context(running(new_postgres())).url
        small = await _filled(opened, server, options.small_database, options.small)
        large = await _filled(opened, server, options.large_database, options.large)
        sides = [await _side(opened, url, options) for url in (large, small)]
        for side in sides:
            await side.prepare()
        costs = await abba(sides[0].round, sides[1].round, options.rounds)
        for name, side, cost in zip((f"{options.large:,}", f"{options.small:,}"), sides, costs, strict=True):
            report.note(
                f"at {name} insights a conversation takes {median(cost):.0f} µs "
                f"and {median(side.wal_bytes):,.0f} bytes of WAL"
            )
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


async def _side(opened: AsyncExitStack, url: str, options: argparse.Namespace) -> Side:
    pool = await opened.enter_async_context(open_write_pool(url))
    connection = await asyncpg.connect(url, command_timeout=600)
    opened.push_async_callback(connection.close)
    group = f"benchmark-{uuid.uuid4().hex[:8]}"
    return Side(Store(pool, group, "benchmark"), connection, options.conversations, options.batch)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=10_000_000, help="insights in the full database")
    parser.add_argument("--small", type=int, default=100_000, help="insights in the other one")
    parser.add_argument("--large-database", help="the name of one that is filled already")
    parser.add_argument("--small-database", help="likewise")
    parser.add_argument("--conversations", type=int, default=50_000, help="a round")
    parser.add_argument("--batch", type=int, default=2_000, help="records in a transaction")
    parser.add_argument("--rounds", type=int, default=2, help="of ABBA")
    parser.add_argument("--postgres", default=os.environ.get("DATABASE_URL"), help="URL; default: a temporary one")
    run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
