"""The sweep over open connections: everything overdue is closed, and nobody waits for it."""

import asyncio
import time
from dataclasses import dataclass

from services.runtime.http_protocol import sweep_each


@dataclass
class Connections:
    """Counts what was swept, and the most that was swept between two turns of somebody else."""

    swept: int = 0
    most_in_a_row: int = 0
    _seen: int = 0

    async def look(self) -> None:
        while True:
            self.most_in_a_row = max(self.most_in_a_row, self.swept - self._seen)
            self._seen = self.swept
            await asyncio.sleep(0)


@dataclass
class Connection:
    all: Connections
    is_overdue: bool = True

    def sweep(self, now: float) -> bool:
        assert now == 5.0
        self.all.swept += 1
        return self.is_overdue


async def most_in_a_row(connections: Connections, swept: list[Connection]) -> int:
    looking = asyncio.create_task(connections.look())
    await asyncio.sleep(0)
    await sweep_each(swept, 5.0)
    await asyncio.sleep(0)
    looking.cancel()
    assert connections.swept == len(swept)
    return connections.most_in_a_row


async def test_a_thousand_that_are_overdue_together_are_closed_a_few_at_a_time() -> None:
    connections = Connections()
    assert await most_in_a_row(connections, [Connection(connections)] * 1000) <= 50


async def test_others_have_more_time_than_the_closing_of_a_thousand() -> None:
    connections = Connections()
    began = time.monotonic()
    await sweep_each([Connection(connections)] * 1000, 5.0)
    assert time.monotonic() - began >= 0.1  # closing takes half of it


async def test_ten_thousand_that_rest_are_looked_at_in_parts() -> None:
    connections = Connections()
    assert await most_in_a_row(connections, [Connection(connections, is_overdue=False)] * 10_000) <= 2_000


async def test_one_that_is_gone_meanwhile_does_not_disturb_the_sweep() -> None:
    connections = Connections()
    live = {number: Connection(connections) for number in range(100)}
    sweeping = asyncio.create_task(sweep_each(live.values(), 5.0))
    await asyncio.sleep(0)
    live.clear()
    await sweeping
    assert connections.swept == 100
