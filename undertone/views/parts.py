"""Small pieces that all views share: feelings in colour, bars, moments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from schemas.subjects import subject_registry

_STYLES = {"positive": "green", "neutral": "yellow", "negative": "red"}
_BLOCKS = " ▏▎▍▌▋▊▉█"
_NARROWEST_BAR = 6
_SHORTEST_FOLDED = 16
"""To so many characters a column may be folded before a table gives way to lines."""
_WIDEST = 1_000
_LEVELS = "▁▂▃▄▅▆▇█"


def feeling_style(sentiment: str | None) -> str:
    """The colour of a sentiment; colour is never the only sign."""
    return _STYLES.get(sentiment or "", "dim")


def score(value: float | None, sentiment: str | None) -> Text:
    """`-0.65` in the colour of its sentiment."""
    return Text(f"{value:+.2f}" if value is not None else "?", style=feeling_style(sentiment))


@dataclass(frozen=True, slots=True)
class TableOrLines:
    """A table, or lines where it would not fit; one of its columns may go on in the next line."""

    table: Table
    lines: Sequence[RenderableType]
    foldable: Iterable[str]
    """What stands in that column."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As the width allows."""
        needed = self.table.__rich_measure__(console, options.update(max_width=_WIDEST)).maximum
        saved = max(0, max(map(cell_len, self.foldable), default=0) - _SHORTEST_FOLDED)
        yield self.table if needed - saved <= options.max_width else Group(*self.lines)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of eighths: `share` of `width` characters, or of the fewer that a narrow terminal leaves it."""

    share: float
    width: int
    style: str = "cyan"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the room that there is."""
        del console
        width = min(self.width, options.max_width)
        full, rest = divmod(round(max(0.0, min(1.0, self.share)) * width * 8), 8)
        yield Text((_BLOCKS[8] * full + (_BLOCKS[rest] if rest else "")).ljust(width), style=self.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """It may shrink to a few characters and still be compared with the others."""
        del console
        return Measurement(min(_NARROWEST_BAR, options.max_width), min(self.width, options.max_width))


def sparkline(values: list[float]) -> str:
    """One character a value, from the lowest to the highest."""
    top = max(values, default=0)
    return "".join(_LEVELS[round(value / top * 7)] if top else _LEVELS[0] for value in values)


def moment(value: Any, *, with_year: bool | None = None) -> str:
    """`21 Nov 14:05` in this machine's zone; with the year when it is not this one."""
    try:
        at = datetime.fromisoformat(str(value)).astimezone()
    except ValueError:
        return "?"
    if with_year or (with_year is None and at.year != datetime.now().astimezone().year):
        return f"{at:%d %b %Y}"
    return f"{at:%d %b %H:%M}"


def titled(slug: str) -> str:
    """A subject as it is called before people; one that the registry does not know by its slug's words."""
    title = subject_registry().title_of(slug)
    return slug.replace("_", " ") if title == slug else title


def change(now: int, before: int | None) -> Text:
    """How many more or fewer than before, with a sign."""
    if before is None:
        return Text("")
    sign = "▲" if now > before else "▼" if now < before else "="
    return Text(f"{sign} {abs(now - before):,}", style="dim")
