"""What a person sees of an ingest: a bar with rate and time left in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from undertone.console import is_terminal, say
from undertone.ingest import checkpoint
from undertone.ingest.run import Watcher
from undertone.progress import LINE_EVERY_SECONDS, live_bar

_STEPS = 1000
WaitingFor = Callable[[], str | None]


class Unwatched:
    """For ingests whose caller shows something of its own."""

    def update(self, share_done: float, progress: checkpoint.Progress) -> None:
        """Show nothing."""


class _Bar:
    """A live bar in a terminal."""

    def __init__(self, name: str, waiting_for: WaitingFor, accepted_before: int) -> None:
        self._waiting_for = waiting_for
        self._before = accepted_before
        self._began = time.monotonic()
        self.progress = live_bar()
        self._task = self.progress.add_task(name, total=_STEPS, counts="")

    def update(self, share_done: float, progress: checkpoint.Progress) -> None:
        rate = (progress.accepted - self._before) / max(0.001, time.monotonic() - self._began)
        counts = f"{progress.accepted:,} accepted, {rate:,.0f}/s"
        if progress.rejected:
            counts += f", {progress.rejected:,} rejected"
        if (reason := self._waiting_for()) is not None:
            counts += f" · waiting: {reason[:30]}"
        self.progress.update(self._task, completed=share_done * _STEPS, counts=counts)


class _Lines:
    """One line every ten seconds, for logs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said_at = time.monotonic()

    def update(self, share_done: float, progress: checkpoint.Progress) -> None:
        if time.monotonic() - self._said_at < LINE_EVERY_SECONDS:
            return
        self._said_at = time.monotonic()
        say(f"{self._name}: {share_done:.0%}, {progress.accepted:,} accepted, {progress.rejected:,} rejected")


@contextmanager
def watching(name: str, waiting_for: WaitingFor, accepted_before: int) -> Iterator[Watcher]:
    """A watcher that fits where the progress goes."""
    if not is_terminal():
        yield _Lines(name)
        return
    bar = _Bar(name, waiting_for, accepted_before)
    with bar.progress:
        yield bar
