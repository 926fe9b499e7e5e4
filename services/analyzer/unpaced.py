"""Permits for an engine that costs nothing: no pace, and a bound on the batches that compute at once."""

from collections.abc import Iterable

from services.analyzer.pacing import CallPermit


class Unpaced:
    """Permits for an engine that spends nothing: only the number of batches at work at once is bounded.

    More batches than a few would not compute faster, they would only make batches smaller.
    """

    share = 1.0

    def __init__(self, most_at_once: int) -> None:
        self._most = most_at_once
        self._at_work = 0
        self._has_partitions = False

    def set_share(self, owned: Iterable[int], partitions: int) -> None:  # noqa: ARG002 - the pacer's interface
        """Calls may start when there are partitions at all (of any lane: nothing is shared out)."""
        self._has_partitions = True

    def stop(self) -> None:
        """A rebalance began."""
        self._has_partitions = False

    def slow_down(self) -> None:
        """Of no interest: nobody limits this engine."""

    def note_heartbeat(self, at: float) -> None:
        """Of no interest: a call of this engine costs nothing."""

    def delay(self) -> float | None:
        """0 when a batch may start, None until one has ended."""
        return 0.0 if self._has_partitions and self._at_work < self._most else None

    def take(self) -> CallPermit | None:
        """Start a batch, if it may start."""
        if self.delay() is None:
            return None
        self._at_work += 1
        return CallPermit(0.0, 0.0)

    def start(self, permit: CallPermit) -> float | None:  # noqa: ARG002 - the pacer's interface
        """At once, while anything is ours."""
        return 0.0 if self._has_partitions else None

    def sent(self, permit: CallPermit) -> None:
        """Of no interest."""

    def limit_stated(self, calls_per_second: float | None, tokens_per_minute: float | None) -> None:
        """Of no interest."""

    def charge(self, tokens: int) -> None:
        """Tokens are free here."""

    def settle(self, estimated_tokens: int, used_tokens: int) -> None:  # noqa: ARG002 - the pacer's interface
        """The batch ended."""
        self._at_work -= 1
