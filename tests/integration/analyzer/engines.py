"""Engines for tests: they answer when they are let, and remember what they were asked."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from schemas.insight_produced import Path
from services.analyzer.engine import Answer, Finding, Task, Usage


def a_finding(task: Task, *, summary: str = "A parcel is late.", completion: str | None = None) -> Finding:
    return Finding(
        sentiment_score=-0.5,
        clusters=("late_delivery",),
        confidence=0.7,
        reasoning="The customer waits.",
        evidence=task.turns[0].text[:40],
        summary=summary,
        path=Path.LLM,
        model="fake",
        input_tokens=10,
        output_tokens=5,
        completion=completion,
    )


class FakeEngine:
    """Answers every batch after `seconds`, and not before `gate` is open."""

    name = "fake"

    def __init__(self, *, is_paced: bool = True, seconds: float = 0.0, version: str = "fake-1") -> None:
        self.analysis_version = version
        self.is_paced = is_paced
        self.seconds = seconds
        self.gate = asyncio.Event()
        self.gate.set()
        self.started_at: list[float] = []
        self.asked: Counter[str] = Counter()
        self.batches: list[int] = []
        self.running = 0

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        self.started_at.append(time.monotonic())
        self.asked.update(task.content_hash for task in batch)
        self.batches.append(len(batch))
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
            await self.gate.wait()
            return self.answer(batch)
        finally:
            self.running -= 1

    def answer(self, batch: Sequence[Task]) -> Answer:
        return Answer(tuple(a_finding(task) for task in batch), Usage(10 * len(batch), 0, 5 * len(batch)))
