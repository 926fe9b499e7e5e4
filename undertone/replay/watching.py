"""What a person sees of a replay: bars with rate and time left in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from undertone.console import is_terminal, say
from undertone.progress import LINE_EVERY_SECONDS, live_bar
from undertone.replay.plans import Replay
from undertone.times import describe_seconds


class Show(Protocol):
    """One step that can be watched."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """So many are done."""


class _Lines:
    def __init__(self, name: str) -> None:
        self._name = name
        self._began = self._said_at = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self._first = done if self._first is None else self._first
        now = time.monotonic()
        if now - self._said_at < LINE_EVERY_SECONDS:
            return
        self._said_at = now
        rate = (done - self._first) / max(0.001, now - self._began)
        left = f", {describe_seconds((total - done) / rate)} left" if rate else ""
        say(f"{self._name}: {done:,} of {total:,}, {rate:,.0f}/s{left}{note and f' ({note})'}")


class _Bar:
    def __init__(self, name: str) -> None:
        self._began = time.monotonic()
        self._first: int | None = None
        self.progress = live_bar()
        self._task = self.progress.add_task(name, total=None, counts="")

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self._first = done if self._first is None else self._first
        rate = (done - self._first) / max(0.001, time.monotonic() - self._began)
        counts = f"{done:,} of {total:,}, {rate:,.0f}/s{note and f' · {note}'}"
        self.progress.update(self._task, completed=done, total=total, counts=counts)


@contextmanager
def watching(name: str) -> Iterator[Show]:
    """A watcher that fits where the progress goes."""
    if not is_terminal():
        yield _Lines(name)
        return
    bar = _Bar(name)
    with bar.progress:
        yield bar


class ReplayWatcher:
    """Shows how a replay goes on."""

    def __init__(self, show: Callable[[int, int, str], None]) -> None:
        self._show = show

    def update(self, replay: Replay) -> None:
        """Some more was settled."""
        left_out = sum(replay.left_out.values())
        self._show(replay.selected - replay.pending, replay.selected, f"{left_out:,} left out" if left_out else "")
