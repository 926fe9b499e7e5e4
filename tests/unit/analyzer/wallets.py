"""Instances with wallets and the log that they share, for the tests of the budget."""

from dataclasses import dataclass, field
from uuid import UUID

from schemas.event import Lane
from services.analyzer.budget import DAY_SECONDS, NANO, Budget, day_of
from services.analyzer.wallet import Charge, Wallet
from tests.unit.analyzer.fakes import FakeClock

DAILY = 1.0
MIDNIGHT = 20_000 * DAY_SECONDS


@dataclass
class Fleet:
    """Instances and the log that they share; each reads it at its own speed."""

    daily: float = DAILY
    clock: FakeClock = field(default_factory=lambda: FakeClock(wall=MIDNIGHT + 1_000))
    log: list[tuple[str, UUID, float, float, float]] = field(default_factory=list)
    """What, whose, how much, when, and under which budget."""
    instances: "list[Instance]" = field(default_factory=list)

    def start(self, daily: float | None = None) -> "Instance":
        daily = self.daily if daily is None else daily
        instance = Instance(self, Wallet(Budget(daily), self.clock.clocks), daily)
        self.instances.append(instance)
        return instance

    def append(self, kind: str, reservation_id: UUID, usd: float, daily: float) -> None:
        self.log.append((kind, reservation_id, usd, self.clock.wall(), daily))


@dataclass
class Instance:
    """One process: its wallet, how far it has read, and its calls in flight."""

    fleet: Fleet
    wallet: Wallet
    daily: float
    read: int = 0
    calls: list[tuple[Charge, int]] = field(default_factory=list)
    """With the day on which each started."""

    def work(self) -> None:
        """What the loop does: settle, ask."""
        for reservation_id, spent in self.wallet.settlements():
            self.fleet.append("settled", reservation_id, spent, self.daily)
        request = self.wallet.next_request()
        if request is not None:
            self.fleet.append("reserved", request.reservation_id, request.amount / NANO, self.daily)

    def follow(self, records: int = 1_000) -> None:
        for kind, reservation_id, usd, at, daily in self.fleet.log[self.read : self.read + records]:
            self.read += 1
            if kind == "settled":
                self.wallet.budget.settle(reservation_id, usd)
            else:
                is_granted = self.wallet.budget.reserve(reservation_id, usd, at, daily)
                self.wallet.reserved(reservation_id, is_granted=is_granted, at=at)

    def get(self, usd: float, lane: Lane = Lane.LIVE) -> Charge | None:
        """Take money, asking for it where there is none."""
        charge = self.wallet.take(lane, usd)
        if charge is None:
            self.work()
            self.follow()
            charge = self.wallet.take(lane, usd)
        return charge

    def reserved(self) -> float:
        self.follow()
        return self.wallet.budget.reserved(day_of(self.fleet.clock.wall())) / NANO
