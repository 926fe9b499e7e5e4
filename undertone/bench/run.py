"""One run of load: what is due when, and what has come of it. Pure, with a given clock."""

from collections.abc import Callable
from dataclasses import dataclass

from undertone.bench.connection import Connection
from undertone.bench.ledger import Ledger
from undertone.bench.posts import NextPost
from undertone.bench.recorder import Recorder

_SLICES_WANTED = 120


@dataclass(frozen=True)
class Plan:
    """How much load, how fast, and for how long: `seconds` or `requests`, whichever ends first."""

    rate: float | None = None
    """Requests a second; None: a closed loop, where an answer brings the next request."""
    seconds: float | None = None
    requests: int | None = None
    timeout_seconds: float = 10.0
    """A request without an answer for so long is given up."""

    def __post_init__(self) -> None:
        if self.seconds is None and self.requests is None:
            raise ValueError("a plan ends after some time or some requests")

    @property
    def slice_seconds(self) -> float:
        """Stretches for about 120 points over time."""
        return max(0.1, round((self.seconds or 12) / _SLICES_WANTED, 1))


class Run:
    """Says what to send next and notes what came back."""

    def __init__(self, plan: Plan, next_post: NextPost, ledger: Ledger, clock: Callable[[], float]) -> None:
        self.plan = plan
        self.ledger = ledger
        self.in_flight = 0
        self.recorder = Recorder(clock(), plan.slice_seconds)
        self._next_post = next_post
        self._clock = clock
        self._taken = 0
        self._ends_at = self.began_at + plan.seconds if plan.seconds is not None else None

    @property
    def began_at(self) -> float:
        return self.recorder.began_at

    @property
    def elapsed_seconds(self) -> float:
        return self._clock() - self.began_at

    def send_next(self, connection: Connection) -> bool:
        """Send the next request on an idle connection; False when none is due."""
        now = self._clock()
        intended_at = self._next_due_at(now)
        if intended_at > now or self.has_ended:
            return False
        self._taken += 1
        self.in_flight += 1
        self.recorder.sent += 1
        connection.send(self._next_post(), intended_at=intended_at, now=now)
        return True

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """Note the answer to the request on this connection."""
        assert connection.post is not None
        self.in_flight -= 1
        self.recorder.answered(
            status, intended_at=connection.intended_at, sent_at=connection.sent_at, now=self._clock()
        )
        self.ledger.answered(connection.post, status, body)

    def unanswered(self, connection: Connection, reason: str) -> None:
        """Note that the request on this connection gets no answer."""
        assert connection.post is not None
        self.in_flight -= 1
        self.recorder.unanswered(reason, intended_at=connection.intended_at, now=self._clock())
        self.ledger.unanswered(connection.post)

    @property
    def has_ended(self) -> bool:
        """Nothing more is sent."""
        if self.plan.requests is not None and self._taken >= self.plan.requests:
            return True
        return self._ends_at is not None and self._clock() >= self._ends_at

    @property
    def seconds_until_due(self) -> float:
        """How long nothing falls due; 0 when something is."""
        now = self._clock()
        return max(0.0, self._next_due_at(now) - now)

    def _next_due_at(self, now: float) -> float:
        return now if self.plan.rate is None else self.began_at + self._taken / self.plan.rate

    def finish(self) -> Recorder:
        """End the run; what fell due and was never sent counts with the time that it has waited."""
        now = self._clock()
        while self.plan.rate is not None and (due_at := self._next_due_at(now)) < self._last_due_at(now):
            self._taken += 1
            self.recorder.unsent(intended_at=due_at, now=now)
        self.recorder.finish(now)
        return self.recorder

    def _last_due_at(self, now: float) -> float:
        if self.plan.requests is not None and self._taken >= self.plan.requests:
            return self.began_at
        return now if self._ends_at is None else min(now, self._ends_at)
