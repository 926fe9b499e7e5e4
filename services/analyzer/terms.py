"""What holds for the calls of an engine: its pace, its circuit, what a conversation takes of it.

Engines that cost share one pace, for the limits are their provider's; those that do not share a bound on what computes
at once. Each has a circuit of its own: a model that is unknown to the provider stops no other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.analyzer.engine import Engine, Task
from services.analyzer.llm.breaker import CircuitBreaker
from services.analyzer.pacing import CallPermit


class Permits(Protocol):
    """`pacing.Pacer` or `unpaced.Unpaced`."""

    @property
    def share(self) -> float: ...
    def set_share(self, owned: Collection[int], partitions: int) -> None: ...
    def stop(self) -> None: ...
    def slow_down(self) -> None: ...
    def note_heartbeat(self, at: float) -> None: ...
    def delay(self) -> float | None: ...
    def take(self) -> CallPermit | None: ...
    def start(self, permit: CallPermit) -> float | None: ...
    def sent(self, permit: CallPermit) -> None: ...
    def charge(self, tokens: int) -> None: ...
    def settle(self, estimated_tokens: int, used_tokens: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one engine."""

    engine: Engine
    permits: Permits
    breaker: CircuitBreaker
    estimate_tokens: Callable[[Task], int]
    """How many tokens a conversation adds to a call."""

    @property
    def costs(self) -> bool:
        """Whether holds of the provider, money and look-ups concern it."""
        return self.engine.is_paced


TermsByVersion = Mapping[str, Terms]
"""By analysis version; that of the analyzer's own engine comes first."""


class EveryPermits:
    """The permits of all engines, for what concerns all of them."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        paced_first = sorted(terms, key=lambda one: not one.costs)
        self._permits = tuple({id(one.permits): one.permits for one in paced_first}.values())

    @property
    def share(self) -> float:
        """This instance's part of the limits; 1 where nothing is limited."""
        return self._permits[0].share

    def set_share(self, owned: Collection[int], partitions: int) -> None:
        """These partitions of so many are ours."""
        for permits in self._permits:
            permits.set_share(owned, partitions)

    def stop(self) -> None:
        """Nothing is ours until the next assignment. Safe to call from another thread."""
        for permits in self._permits:
            permits.stop()

    def slow_down(self) -> None:
        """A provider said that it is too much."""
        for permits in self._permits:
            permits.slow_down()

    def note_heartbeat(self, at: float) -> None:
        """The group's coordinator confirmed our membership at this monotonic time."""
        for permits in self._permits:
            permits.note_heartbeat(at)
