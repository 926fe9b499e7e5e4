"""What a person sees while the stack starts and stops: live lines in a terminal, plain lines in a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

Advance = Callable[[int], None]


class Reporter(Protocol):
    """Where the stack says what it does."""

    def note(self, text: str) -> None:
        """Say one line."""

    def download(self, what: str, total_bytes: int) -> AbstractContextManager[Advance]:
        """Show a download; the yielded function is called with the bytes that have come."""

    def begins(self, part: str, doing: str) -> None:
        """A part begins something that takes time, such as `starting`; or says anew what it does."""

    def done(self, part: str, what: str) -> None:
        """A part has ended what it had begun, such as `ready`."""


class SilentReporter:
    """For tests and for whoever looks at the outcome only."""

    def note(self, text: str) -> None: ...

    @contextmanager
    def download(self, what: str, total_bytes: int) -> Iterator[Advance]:  # noqa: ARG002 - says nothing
        yield lambda _: None

    def begins(self, part: str, doing: str) -> None: ...

    def done(self, part: str, what: str) -> None: ...


class ConsoleReporter:
    """Live lines with spinners where there is a terminal; else one line for each thing that is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._begun: dict[str, float] = {}
        self._doing: dict[str, str] = {}
        self._live: Live | None = None

    def note(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    @contextmanager
    def download(self, what: str, total_bytes: int) -> Iterator[Advance]:
        if not self.console.is_terminal:
            yield lambda _: None
            return
        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=total_bytes)
            yield lambda count: progress.advance(task, count)

    def begins(self, part: str, doing: str) -> None:
        self._begun.setdefault(part, time.monotonic())
        self._doing[part] = doing
        self._refresh()

    def done(self, part: str, what: str) -> None:
        seconds = time.monotonic() - self._begun.pop(part, time.monotonic())
        self._doing.pop(part, None)
        mark = Text("  ✓ ", style="green")
        self.console.print(Text.assemble(mark, f"{part:<12}", what, (f"  {seconds:.1f} s", "dim")), soft_wrap=True)
        self._refresh()

    def quiet(self) -> None:
        """Take the spinners away: what begun and never ended has failed or was interrupted."""
        self._doing.clear()
        self._refresh()

    def _refresh(self) -> None:
        if not self.console.is_terminal:
            return
        if not self._doing:
            if self._live is not None:
                self._live.stop()
                self._live = None
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=12)
            self._live.start()
        self._live.update(self._spinners())

    def _spinners(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for part, doing in self._doing.items():
            table.add_row(Text(" "), Spinner("dots"), Text(f"{part:<11}"), Text(doing, style="dim"))
        return table
