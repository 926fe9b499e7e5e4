"""Fakes that a person can read: a clock that is set, a record that waits."""

from dataclasses import dataclass

from schemas.event import Lane, Revision
from services.analyzer.pacing import Clocks


class FakeClock:
    """Both clocks; they move together unless the wall clock jumps."""

    def __init__(self, now: float = 1_000.0, wall: float = 1_700_000_000.0) -> None:
        self.now = now
        self.wall_offset = wall - now

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.wall_offset

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def jump(self, seconds: float) -> None:
        self.wall_offset += seconds

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.monotonic, self.wall)


@dataclass(eq=False)
class FakeWaiter:
    """A record that waits for its analysis."""

    conversation_id: str
    revision: Revision
    lane: Lane = Lane.LIVE

    def __repr__(self) -> str:
        return f"{self.conversation_id}@{self.revision}"
