"""Batches in the order of the file, and how far the file is done: pure.

Several batches are under way at once and end in any order; the file counts as done only up to the first batch
that is not. A report or a checkpoint written from here never runs ahead of what was really accepted.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from undertone.ingest.entries import Unreadable
from undertone.ingest.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class Rejection:
    """A conversation that will never be accepted as it stands, and why; problems are (field, problem) pairs."""

    number: int
    conversation_id: str | None
    problems: Sequence[tuple[str, str]]


@dataclass(slots=True)
class Batch:
    """Consecutive entries of a file: what to send, and what was refused while reading."""

    outgoing: list[Outgoing] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    body_bytes: int = 0

    @property
    def entries(self) -> int:
        """How many entries of the file this batch stands for."""
        return len(self.outgoing) + len(self.rejections)


def in_batches(items: Iterable[Outgoing | Unreadable], *, size: int, max_bytes: int) -> Iterator[Batch]:
    """Cut the items into batches of at most `size` conversations and `max_bytes` of JSON (one may be larger)."""
    batch = Batch()
    for item in items:
        if isinstance(item, Unreadable):
            batch.rejections.append(Rejection(item.number, None, [(item.field, item.problem)]))
        else:
            length = len(item.body) + 1
            if batch.outgoing and batch.body_bytes + length > max_bytes:
                yield batch
                batch = Batch()
            batch.outgoing.append(item)
            batch.body_bytes += length
        if batch.entries >= size:
            yield batch
            batch = Batch()
    if batch.entries:
        yield batch


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that came to its end: how many were accepted, and what was not."""

    entries: int
    accepted: int
    rejections: Sequence[Rejection]


class Order:
    """Turns batches that end in any order into their order in the file."""

    def __init__(self) -> None:
        self._first = 0
        self._ended: deque[Done | None] = deque()

    def begin(self) -> int:
        """A batch begins; the ticket is for `end`."""
        self._ended.append(None)
        return self._first + len(self._ended) - 1

    def end(self, ticket: int, done: Done) -> list[Done]:
        """A batch has ended; return those whose turn it is now, oldest first."""
        self._ended[ticket - self._first] = done
        ready = []
        while self._ended and (head := self._ended[0]) is not None:
            ready.append(head)
            self._ended.popleft()
            self._first += 1
        return ready
