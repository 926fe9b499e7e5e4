"""Carrying a decision out in steps, until nothing of the selection is left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from services.runtime.counting import counted
from undertone.errors import CommandError

Post = Callable[[Mapping[str, object]], Mapping[str, Any]]
"""Posts a decision and gives the answer's members."""


@dataclass(slots=True)
class Totals:
    """What was done so far. `found_sent` were sent by a redrive that was interrupted before it could say so."""

    redriven: int = 0
    found_sent: int = 0
    dropped: int = 0
    refused: list[Mapping[str, Any]] = field(default_factory=list)
    remaining: int = 0
    cannot_be_sent: int = 0
    action_id: str = ""

    @property
    def done(self) -> int:
        return self.redriven + self.found_sent + self.dropped

    def add(self, answer: Mapping[str, Any]) -> bool:
        """Add a step; whether it got anywhere."""
        before = self.done + len(self.refused)
        self.redriven += answer.get("redriven", 0)
        self.found_sent += answer.get("found_sent", 0)
        self.dropped += answer.get("dropped", 0)
        self.refused += answer.get("refused", ())
        self.remaining = answer["remaining"]
        self.cannot_be_sent = answer.get("cannot_be_sent", 0)
        return self.done + len(self.refused) > before or answer.get("unknown", 0) > 0


def carry_out(post: Post, decision: Mapping[str, object], report: Callable[[Totals], None]) -> Totals:
    """Repeat the decision under one id until no letter is left of it, and none whose fate is unknown.

    Raises CommandError when letters are left that no step gets hold of.
    """
    totals = Totals(action_id=str(uuid4()))
    while True:
        answer = post({**decision, "action_id": totals.action_id})
        has_moved = totals.add(answer)
        report(totals)
        if not totals.remaining and not answer.get("unknown"):
            return totals
        if not has_moved:
            raise CommandError(
                f"{counted(totals.remaining, 'dead letter')} left, which somebody else holds now: the same command "
                f"goes on there."
            )
