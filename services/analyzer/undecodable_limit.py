"""When to stop putting records aside: a bad deployment upstream must not drain a topic into the dead letters."""

from collections import deque

LAST_RECORDS = 1000
MOST_SHARE = 0.05
AT_LEAST = 50


class UndecodableLimit:
    """Watches the last 1,000 records of a lane: exceeded when more than 5 % (and at least 50) were undecodable."""

    def __init__(self) -> None:
        self._outcomes: deque[bool] = deque(maxlen=LAST_RECORDS)
        self._undecodable = 0

    def note(self, *, is_undecodable: bool) -> None:
        """Count one record."""
        if len(self._outcomes) == LAST_RECORDS:
            self._undecodable -= self._outcomes[0]
        self._outcomes.append(is_undecodable)
        self._undecodable += is_undecodable

    @property
    def is_exceeded(self) -> bool:
        """Whether the lane should hold."""
        return self._undecodable >= AT_LEAST and self._undecodable > MOST_SHARE * len(self._outcomes)

    def describe(self) -> str:
        """How many of how many, for people."""
        return f"{self._undecodable} of the last {len(self._outcomes)} records could not be decoded"

    def forget(self) -> None:
        """A person looked: count from here on."""
        self._outcomes.clear()
        self._undecodable = 0
