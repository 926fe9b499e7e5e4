"""How large a batch may be: a maximum for each engine that adapts to what it copes with."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class BatchSize:
    """The adaptive maximum: halves after truncation, timeout or error, grows by one after each clean full batch."""

    minimum: int
    current: int
    maximum: int

    def shrink(self) -> None:
        """A call failed or its answer was cut."""
        self.current = max(self.minimum, self.current // 2)

    def grow(self) -> None:
        """A full batch came back clean."""
        self.current = min(self.maximum, self.current + 1)


class BatchSizes:
    """A maximum for each analysis version: what one model copes with says nothing about another."""

    def __init__(self, at_first: Callable[[], BatchSize]) -> None:
        self._at_first = at_first
        self._sizes: dict[str, BatchSize] = {}

    def of(self, analysis_version: str) -> BatchSize:
        """That of a version."""
        size = self._sizes.get(analysis_version)
        if size is None:
            size = self._sizes[analysis_version] = self._at_first()
        return size
