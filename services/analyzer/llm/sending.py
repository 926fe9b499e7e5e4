"""Which conversations of a batch can share a call: pure.

A result is believed only with evidence that no other conversation of its call contains. So two conversations of
the same words are sent once and share the result, and one whose every turn also stands in others must wait for
another call: nothing that a model could quote would tell it apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.analyzer.engine import Task
from services.analyzer.llm.text import Passages


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, by position in the batch."""

    sent: tuple[int, ...]
    stands_for: dict[int, int]
    """Position → the sent position that has the same words; every sent position stands for itself."""
    deferred: tuple[int, ...]
    passages: tuple[Passages, ...]
    """Of every position."""


def plan_call(batch: Sequence[Task]) -> Plan:
    """Decide who is sent, who shares and who waits; at least one is always sent."""
    passages = tuple(Passages.of(turn.text for turn in task.turns) for task in batch)
    sent: list[int] = []
    stands_for: dict[int, int] = {}
    deferred: list[int] = []
    first_of: dict[tuple[tuple[str, str], ...], int] = {}
    longest_first = sorted(range(len(batch)), key=lambda at: -sum(map(len, passages[at].normalised)))
    for position in longest_first:
        roles = (turn.role.value for turn in batch[position].turns)
        words = tuple(zip(roles, passages[position].normalised, strict=True))
        twin = first_of.get(words)
        if twin is not None:
            stands_for[position] = twin
        elif _is_within(passages[position], [passages[other] for other in sent]):
            deferred.append(position)
        else:
            first_of[words] = stands_for[position] = position
            sent.append(position)
    return Plan(tuple(sorted(sent)), stands_for, tuple(sorted(deferred)), passages)


def _is_within(candidate: Passages, others: Sequence[Passages]) -> bool:
    turns = sorted(candidate.normalised, key=len, reverse=True)
    return bool(others) and all(any(other.contain(turn) for other in others) for turn in turns)
