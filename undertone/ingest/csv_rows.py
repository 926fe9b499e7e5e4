"""The rows of a CSV, each with its line. A row whose quote is not closed takes no other row with it."""

import csv
from collections import deque
from collections.abc import Iterable, Sequence

from services.runtime.counting import counted
from undertone.ingest.entries import MAX_ENTRY_BYTES
from undertone.ingest.tweets import BadRow

_LONGEST_ROW = 128 * 1024
"""Characters after which a row has no further line; a turn of a conversation has at most 20,000."""
_NOT_CLOSED = "has a quote that is not closed; its further lines are read as rows of their own"


class CsvRows:
    """Reads row by row; a row may go over several lines, in quotes."""

    def __init__(self, text: Iterable[str], columns: int) -> None:
        csv.field_size_limit(MAX_ENTRY_BYTES)
        self._lines = _Lines(text)
        self._reader = csv.reader(self._lines)
        self._columns = columns

    @property
    def line(self) -> int:
        """The line on which the row begins that was read last."""
        return self._lines.first

    def next(self) -> Sequence[str] | None:
        """The next row, None at the end. Raises BadRow for one that does not end where it should.

        Of that only the first line is given up: what its quote took in is read again.
        """
        self._lines.begin_row()
        try:
            row = next(self._reader, None)
        except _TooLong as error:
            self._lines.give_back()
            raise BadRow("", _NOT_CLOSED) from error
        except csv.Error as error:
            self._lines.give_back()
            raise BadRow("", f"is not CSV: {error}") from error
        if row is None or len(self._lines.taken) == 1:
            return row
        problem = self._problem_over_lines(row)
        if problem is not None:
            self._lines.give_back()
            raise BadRow("", problem)
        return row

    def _problem_over_lines(self, row: Sequence[str]) -> str | None:
        """Why a row cannot go over the lines that it does, if so: a quote in another row closed its own."""
        try:
            next(csv.reader(self._lines.taken, strict=True))
        except csv.Error:
            return _NOT_CLOSED
        if len(row) == self._columns:
            return None
        lines = len(self._lines.taken)
        return f"has {counted(len(row), 'column')} instead of {self._columns}, where its quotes join {lines} lines"


class _TooLong(Exception):  # noqa: N818 - it names what was met
    """A row wants a further line, and has too much already."""


class _Lines:
    """A file's lines; those of the row that is read may be given back."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self._again: deque[str] = deque()
        self._length = 0
        self.taken: list[str] = []
        self.first = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._length > _LONGEST_ROW:
            raise _TooLong
        line = self._again.popleft() if self._again else next(self._text)
        self._length += len(line)
        self.taken.append(line)
        return line

    def begin_row(self) -> None:
        self.first += len(self.taken)
        self.taken.clear()
        self._length = 0

    def give_back(self) -> None:
        """All lines of this row but its first are to be read again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
