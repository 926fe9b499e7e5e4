"""What the buckets of trends are counted by, each piece once. Pure.

Most buckets are, but for their edges, one cell of a rollup: an hour, or a UTC day. Those cells are read in one go. A
day of another zone differs from a UTC day by hours at both edges; what ends one bucket there begins the next, so it is
counted once, taken from one and added to the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from services.sink.windows import HOUR, STEPS, Grain, Span, Window, cover, floor_to, nearest

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Pieces:
    """Cells of one grain, and all that is not among them."""

    grain: Grain
    """Of the cells."""
    cells: dict[datetime, int] = field(default_factory=dict)
    """The bucket that each cell counts for, by the cell's start."""
    spans: list[Span] = field(default_factory=list)
    """Each with its place in this list as its number."""
    shares: list[Sequence[tuple[int, int]]] = field(default_factory=list)
    """Of each span: the buckets that it counts for, and with which sign."""

    @property
    def stretch(self) -> Window:
        """What holds all cells; nothing when there are none."""
        if not self.cells:
            return Window(_NEVER, _NEVER)
        return Window(min(self.cells), max(self.cells) + STEPS[self.grain])

    def add(self, start: datetime, end: datetime, shares: Mapping[int, int]) -> None:
        """Let a range count for some buckets."""
        for span in cover(start, end):
            self._add(span, [(bucket, sign * span.sign) for bucket, sign in shares.items()])

    def add_edge(self, start: datetime, end: datetime, shares: Mapping[int, int]) -> None:
        """The same of at most half a day: there may be hundreds, and most are whole hours."""
        if floor_to(start, HOUR) == start and floor_to(end, HOUR) == end:
            self._add(Span(0, Grain.HOURS, 1, start, end), list(shares.items()))
        else:
            self.add(start, end, shares)

    def _add(self, span: Span, shares: Sequence[tuple[int, int]]) -> None:
        self.spans.append(Span(len(self.spans), span.grain, 1, span.start, span.end))
        self.shares.append(shares)


def pieces_of(window: Window, starts: Sequence[datetime], *, by_day: bool) -> Pieces:
    """Of a window's buckets, numbered from 0; `by_day` says whether most have about a day, rather than an hour."""
    pieces = Pieces(Grain.DAYS if by_day else Grain.HOURS)
    step = STEPS[pieces.grain]
    edges = [*starts, window.end]
    wholes = [nearest(edge, step) for edge in edges]
    corrections: dict[tuple[datetime, datetime], dict[int, int]] = {}
    for bucket, ((start, end), (first, last)) in enumerate(zip(pairwise(edges), pairwise(wholes), strict=True)):
        if last - first != step:
            pieces.add(start, end, {bucket: 1})
            continue
        pieces.cells[first] = bucket
        if first != start:
            corrections.setdefault((first, start), {})[bucket] = -1
        if last != end:
            corrections.setdefault((last, end), {})[bucket] = 1
    for (whole, edge), shares in corrections.items():
        if whole < edge:
            pieces.add_edge(whole, edge, shares)
        else:
            pieces.add_edge(edge, whole, {bucket: -sign for bucket, sign in shares.items()})
    return pieces
