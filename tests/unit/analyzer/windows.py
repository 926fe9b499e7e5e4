"""A batching window and what is put into it, for the tests of batching."""

from schemas.event import Lane, Revision
from services.analyzer.batching import Batch, BatchingWindow, BatchSize
from services.analyzer.engine import Task
from tests.builders import a_turn
from tests.unit.analyzer.fakes import FakeWaiter

V1 = "offline-1"
WINDOW = 0.25


def a_window(*, start: int = 5, maximum: int = 50, tokens: int = 10_000) -> BatchingWindow[FakeWaiter]:
    return BatchingWindow(window_seconds=WINDOW, size=BatchSize(1, start, maximum), token_budget=tokens)


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
