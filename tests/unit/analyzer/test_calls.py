"""What becomes of a batch whose call was not sent: it waits again, unless nothing is to be sent any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from schemas.event import Lane, Revision
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Asking, NotSentError
from services.analyzer.batching import Batch, BatchingWindow
from services.analyzer.calls import CallPolicy, Calls, Permissions
from services.analyzer.in_flight import InFlightWindow
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.outbox import Outbox
from services.analyzer.permissions import Permission
from tests.unit.analyzer.fakes import FakeWaiter
from tests.unit.analyzer.windows import V1, WINDOW, a_task, a_window, queues


@dataclass(eq=False)
class Waiter(FakeWaiter):
    place: RecordPlace | None = None


class NeverSent:
    async def ask(self, *_: Any) -> Any:
        raise NotSentError


class World:
    def __init__(self) -> None:
        self.ledger = Ledger({Lane.LIVE: InFlightWindow(max_bytes=1 << 20, max_count=100)})
        self.ledger.open()
        self.window = cast("BatchingWindow[Arrival]", a_window())
        self.calls = Calls(
            asking=cast("Asking", NeverSent()),
            window=self.window,
            ledger=self.ledger,
            outbox=cast("Outbox", None),
            policy=CallPolicy(max_attempts=5, backoff_seconds=1),
            instance="a test",
        )

    async def a_batch_of(self, contents: Sequence[str]) -> Batch[Arrival]:
        for offset, content in enumerate(contents):
            place = await self.ledger.admit(Lane.LIVE, 0, offset, 100, lambda: None)
            waiter = cast("Arrival", Waiter(f"conv-{content}", Revision(1, offset), place=place))
            self.window.add(waiter, a_task(content), V1, tokens=10, now=0.0)
        batch = self.window.close(WINDOW, queues())
        assert batch is not None
        return batch

    async def run(self, batch: Batch[Arrival]) -> int:
        await self.calls.run(batch, cast("Permission", object()), cast("Permissions", None))
        return self.window.waiting(Lane.LIVE)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_batch_whose_call_was_not_sent_waits_again(world: World) -> None:
    assert await world.run(await world.a_batch_of("abc")) == 3


async def test_at_the_end_nothing_waits_any_more(world: World) -> None:
    batch = await world.a_batch_of("abc")
    world.ledger.take_no_more()
    assert await world.run(batch) == 0


async def test_what_comes_again_after_a_rebalance_does_not_wait_here(world: World) -> None:
    batch = await world.a_batch_of("abc")
    world.ledger.close()
    world.ledger.open()
    assert await world.run(batch) == 0
