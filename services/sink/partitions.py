"""The partitions of this sink: which are assigned, which are claimed, and which stand still and why. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.sink.batch import Batch, Claim, Claimed, Place


@dataclass(frozen=True, slots=True)
class LogRange:
    """What a partition's log holds: from `beginning` up to, without, `end`."""

    beginning: int
    end: int


def reason_to_stop(place: Place, claimed: Claimed, log: LogRange, cluster_id: str) -> str | None:
    """Why a partition must not be read, in one sentence; None when it may be. Nothing is ever skipped by itself."""
    position = claimed.claim.next_offset
    if claimed.cluster_id != cluster_id:
        return (
            f"{place}: the stored offset {position} belongs to Kafka cluster {claimed.cluster_id}, this is {cluster_id}"
        )
    if not log.beginning <= position <= log.end:
        return (
            f"{place}: the stored offset {position} is outside the log, which holds {log.beginning} to {log.end}; "
            "decide with `undertone offsets reset`"
        )
    return None


class Partitions:
    """What the rebalance listener flags and the loop settles."""

    def __init__(self) -> None:
        self.claims: dict[Place, Claim] = {}
        self.stopped: dict[Place, str] = {}
        self._unsettled: set[Place] = set()
        self._is_assigned = False

    def revoke(self) -> None:
        """A rebalance begins: nothing is ours until it ends."""
        self._forget()
        self._is_assigned = False

    def assign(self, places: Iterable[Place]) -> None:
        """A rebalance ended: these are to be claimed."""
        self._forget()
        self._unsettled = set(places)
        self._is_assigned = True

    def _forget(self) -> None:
        self.claims = {}
        self.stopped = {}
        self._unsettled = set()

    @property
    def is_assigned(self) -> bool:
        """Whether the group has told us what is ours (which may be nothing)."""
        return self._is_assigned

    @property
    def unsettled(self) -> frozenset[Place]:
        """Assigned, neither claimed nor stopped yet."""
        return frozenset(self._unsettled)

    def settle(self, claims: Mapping[Place, Claim], stopped: Mapping[Place, str]) -> None:
        """Take over what a claim found, for partitions that are still unsettled."""
        self.claims |= {place: claim for place, claim in claims.items() if place in self._unsettled}
        self.stopped = {place: why for place, why in self.stopped.items() if place not in self.claims}
        self.stopped |= {place: why for place, why in stopped.items() if place in self._unsettled}
        self._unsettled -= claims.keys() | stopped.keys()

    def stop(self, place: Place, why: str) -> None:
        """Read no further here."""
        self.claims.pop(place, None)
        self.stopped[place] = why

    def reclaim(self) -> None:
        """Claim everything anew, from what is stored: what was fetched under the claims of before is dropped."""
        self._unsettled |= self.claims.keys()
        self.claims = {}

    def reconsider(self) -> None:
        """Claim what stands still once more: a person may have set its offset."""
        self._unsettled |= self.stopped.keys()

    def advance(self, batch: Batch) -> None:
        """A batch is stored. Partitions that were revoked meanwhile stay unclaimed."""
        for place, next_offset in batch.next_offsets.items():
            if (claim := self.claims.get(place)) is not None:
                self.claims[place] = Claim(claim.epoch, next_offset)
