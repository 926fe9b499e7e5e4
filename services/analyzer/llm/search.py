"""The search for bad conversations in a batch whose call failed, or some of whose results were refused. Pure.

A call that fails as a whole holds a bad conversation. Its left half is sent: if that fails too, the bad one is in
there and the right half waits unsent; if it is answered, the bad one must be in the right half, which needs no
call to know that. Once one is singled out, all that is unsent goes together into one call, and so on. At the end
what was found bad goes again together, once: whoever succeeds then was unlucky, not bad. A conversation whose own
result was refused both times gets a last call alone, where no neighbour can confuse the model.

With k bad conversations among B this costs at most 1 + k·ceil(log2 B) + k calls beyond the first. Outages and
limits are no outcomes here: whoever drives the search sends the same call again.
"""

from collections.abc import Collection, Mapping
from enum import Enum, auto

BLAMELESS = frozenset({"truncated", "indistinguishable"})
"""Reasons of refusals that say nothing against a conversation: it goes again as if it had not been sent."""
SINGLED_OUT = "every call with it failed"


class _Step(Enum):
    HALF = auto()
    POOL = auto()
    TOGETHER = auto()
    ALONE = auto()


class BadConversationSearch:
    """Says what to send next, and in the end who is bad. Positions are those of the batch, from 0.

    `next_call` gives the same call until `answered`, `failed` or `truncated` says what became of it.
    """

    def __init__(self, size: int) -> None:
        self.bad: dict[int, str] = {}
        """Position → reason of those that are bad for good."""
        self._unsent = list(range(size))
        self._suspects: list[int] = []
        """There is a bad one among them."""
        self._found: dict[int, str] = {}
        """Bad once: they go again together."""
        self._own_refused: set[int] = set()
        """Those whose call was answered but for them."""
        self._alone: dict[int, str] = {}
        self._largest_call = max(1, size)

    def next_call(self) -> tuple[int, ...]:
        """The positions to send now; empty when the search is over."""
        return self._planned()[1]

    def answered(self, refused: Mapping[int, str] | None = None, final: Collection[int] = ()) -> None:
        """The call was answered but for the `refused` (position → reason); those in `final` would be so again."""
        refused = refused or {}
        step, call = self._take()
        if step is _Step.HALF and len(self._suspects) == 1:
            self._found[self._suspects.pop()] = SINGLED_OUT
        for position in call:
            if position not in refused:
                continue
            reason = refused[position]
            if position in final:
                self.bad[position] = reason
            elif reason in BLAMELESS and len(refused) < len(call):
                self._send_again(position, reason, step)
            else:
                self._own_refused.add(position)
                self._blame(position, reason, step, is_alone=len(call) == 1)

    def failed(self, reason: str) -> None:
        """The call failed as a whole, and not by an outage."""
        step, call = self._take()
        if step in {_Step.HALF, _Step.POOL}:
            self._leave_unsent(self._suspects)
            self._suspects = list(call) if len(call) > 1 else []
            if len(call) > 1:
                return
        for position in call:
            self._blame(position, reason, step, is_alone=len(call) == 1)

    def truncated(self) -> None:
        """The call was too large: what was in it goes again in calls of half the size."""
        step, call = self._planned()
        if len(call) == 1:
            self.failed("truncated")
            return
        self._largest_call = len(call) // 2
        if step is _Step.HALF:  # which half the bad one is in stays unknown
            suspects, self._suspects = self._suspects, []
            self._leave_unsent(suspects)

    def _planned(self) -> tuple[_Step, tuple[int, ...]]:
        if self._suspects:
            return _Step.HALF, tuple(self._suspects[: (len(self._suspects) + 1) // 2])
        if self._unsent:
            return _Step.POOL, tuple(self._unsent[: self._largest_call])
        if self._found:
            return _Step.TOGETHER, tuple(sorted(self._found)[: self._largest_call])
        return _Step.ALONE, tuple(self._alone)[:1]

    def _take(self) -> tuple[_Step, tuple[int, ...]]:
        """The call whose outcome is told; its conversations are nowhere until that is decided."""
        step, call = self._planned()
        if step is _Step.HALF:
            self._suspects = self._suspects[len(call) :]
        elif step is _Step.POOL:
            self._unsent = self._unsent[len(call) :]
        else:
            for position in call:
                (self._found if step is _Step.TOGETHER else self._alone).pop(position)
        return step, call

    def _leave_unsent(self, positions: Collection[int]) -> None:
        self._unsent = sorted([*self._unsent, *positions])

    def _send_again(self, position: int, reason: str, step: _Step) -> None:
        if step is _Step.TOGETHER:
            self._found[position] = reason
        else:
            self._leave_unsent([position])

    def _blame(self, position: int, reason: str, step: _Step, *, is_alone: bool) -> None:
        if step in {_Step.HALF, _Step.POOL}:
            self._found[position] = reason
        elif step is _Step.TOGETHER and position in self._own_refused and not is_alone:
            self._alone[position] = reason
        else:
            self.bad[position] = reason
