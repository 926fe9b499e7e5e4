"""What every way of sending conversations promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from undertone.ingest.outgoing import Outgoing

Problems = Sequence[tuple[str, str]]
"""(field, problem) pairs."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch: all but the rejected were accepted for good. Keys are positions in the batch."""

    rejected: Mapping[int, Problems] = field(default_factory=dict)


class Sender(Protocol):
    """Delivers conversations; what is unknown or refused for the moment it repeats with the same ids by itself."""

    max_batch_bytes: int

    async def check(self) -> None:
        """Fail early when the destination cannot be reached. Raises CommandError."""

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        """Return when each conversation is accepted or rejected for good. Raises CommandError when it gives up."""
