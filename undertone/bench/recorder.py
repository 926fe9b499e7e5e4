"""What a run measured: answers by status, latencies, and both over time."""

from collections import Counter
from dataclasses import dataclass, field

from undertone.bench.histogram import Histogram
from undertone.bench.ledger import ACCEPTED_STATUS


@dataclass(frozen=True, slots=True)
class Slice:
    """A short stretch of a run; answers belong to the stretch in which they came."""

    start_seconds: float
    seconds: float
    answers: dict[str, int]
    """By HTTP status, or by the reason why none came."""
    p50_ms: float
    p99_ms: float
    largest_ms: float


@dataclass(slots=True)
class Recorder:
    """Collects the answers of a run that began at `began_at` on the loop's clock."""

    began_at: float
    slice_seconds: float = 1.0
    sent: int = 0
    never_sent: int = 0
    """Fell due in an open loop that was too slow to send it."""
    answers: Counter[str] = field(default_factory=Counter)
    accepted_latency: Histogram = field(default_factory=Histogram)
    """From the intended moment of sending to the answer, of requests that were answered 202."""
    latency: Histogram = field(default_factory=Histogram)
    """The same of every request, those without an answer included: they count with the time waited in vain."""
    service_time: Histogram = field(default_factory=Histogram)
    """From the real moment of sending: what a generator that waits for the server would have reported."""
    slices: list[Slice] = field(default_factory=list)
    _now: Histogram = field(default_factory=Histogram)
    _now_answers: Counter[str] = field(default_factory=Counter)
    _now_began: float = 0.0

    def answered(self, status: int, *, intended_at: float, sent_at: float, now: float) -> None:
        """Count an answer."""
        self._count(str(status), now - intended_at, now)
        self.service_time.add(now - sent_at)
        if status == ACCEPTED_STATUS:
            self.accepted_latency.add(now - intended_at)

    def unanswered(self, reason: str, *, intended_at: float, now: float) -> None:
        """Count a request that will get no answer."""
        self._count(reason, now - intended_at, now)

    def unsent(self, *, intended_at: float, now: float) -> None:
        """Count a request that fell due and found no idle connection until the run was over."""
        self.never_sent += 1
        self.latency.add(now - intended_at)

    def _count(self, what: str, seconds: float, now: float) -> None:
        self._advance(now)
        self.answers[what] += 1
        self._now_answers[what] += 1
        self.latency.add(seconds)
        self._now.add(seconds)

    def _advance(self, now: float) -> None:
        """Close the stretches that have ended by now; one without answers is kept as a gap."""
        while now - self.began_at >= self._now_began + self.slice_seconds:
            self._close(self.slice_seconds)

    def _close(self, seconds: float) -> None:
        latencies = (self._now.percentile_ms(50), self._now.percentile_ms(99), self._now.largest_ms)
        self.slices.append(Slice(self._now_began, seconds, dict(self._now_answers), *latencies))
        self._now_began += self.slice_seconds
        if self._now.count:
            self._now = Histogram()
            self._now_answers = Counter()

    def finish(self, now: float) -> None:
        """Close what is left."""
        self._advance(now)
        if self._now.count:
            self._close(now - self.began_at - self._now_began)
