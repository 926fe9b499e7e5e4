"""A batching window and what is put into it, for the tests of batching."""

from collections.abc import Collection

from schemas.event import Lane, Revision
from services.analyzer.batch_size import BatchSize, BatchSizes
from services.analyzer.batching import LANES_IN_ORDER, Batch, BatchingWindow, Queue
from services.analyzer.engine import Task
from tests.builders import a_turn
from tests.unit.analyzer.fakes import FakeWaiter

V1 = "offline-2"
V2 = "grok-4.3-p1"
WINDOW = 0.25


def a_window(*, start: int = 5, maximum: int = 50, tokens: int = 10_000) -> BatchingWindow[FakeWaiter]:
    sizes = BatchSizes(lambda: BatchSize(1, start, maximum))
    return BatchingWindow(window_seconds=WINDOW, sizes=sizes, token_budget=tokens)


def a_task(content: str) -> Task:
    return Task("any", content, (a_turn(),))


def add(
    window: BatchingWindow[FakeWaiter],
    content: str,
    *,
    of: str | None = None,
    now: float = 0.0,
    lane: Lane = Lane.LIVE,
    revision: int = 1,
    version: str = V1,
    tokens: int = 10,
) -> tuple[FakeWaiter, list[FakeWaiter]]:
    waiter = FakeWaiter(of or f"conv-{content}", Revision(revision, revision), lane)
    return waiter, window.add(waiter, a_task(content), version, tokens=tokens, now=now)


def contents_of(batch: Batch[FakeWaiter] | None) -> list[str]:
    return [work.task.content_hash for work in batch.works] if batch else []


def queues(held: Collection[Lane] = ()) -> list[Queue]:
    """Of both versions, in the lanes that are not held."""
    return [(lane, version) for lane in LANES_IN_ORDER if lane not in held for version in (V1, V2)]
