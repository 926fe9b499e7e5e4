"""Which dead letters a command line means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.dead_letter import DeadLetterReason
from schemas.topics import TOPICS
from undertone.errors import CommandError, UsageProblem
from undertone.times import parse_moment

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_MOST_IDS = 1_000


@dataclass(frozen=True, slots=True)
class Filters:
    """The options that narrow a selection down."""

    topic: str | None = None
    reason: str | None = None
    service: str | None = None
    conversation_id: str | None = None
    since: str | None = None
    until: str | None = None


def which(names: Sequence[str]) -> dict[str, object]:
    """Ids of letters, or one fingerprint, as members of a selection. Raises UsageProblem for what is neither."""
    fingerprints = [name for name in names if _FINGERPRINT.fullmatch(name)]
    if not fingerprints:
        return {"dead_letter_ids": [letter_id(name) for name in names]} if names else {}
    if len(names) > 1:
        raise UsageProblem("Give one fingerprint, or ids of dead letters; `undertone dlq list` shows both.")
    return {"fingerprint": fingerprints[0]}


def letter_id(name: str) -> str:
    """The id, as the API writes it. Raises UsageProblem."""
    try:
        return str(UUID(name))
    except ValueError:
        raise UsageProblem(
            f"{name[:40]!r} is neither the id of a dead letter nor a fingerprint; `undertone dlq list` shows both."
        ) from None


def shown_id(name: str) -> str:
    """The id of the one letter to show. Raises UsageProblem."""
    if _FINGERPRINT.fullmatch(name):
        raise UsageProblem(f"{name} is the fingerprint of a group: `undertone dlq list {name}` lists its letters.")
    return letter_id(name)


_LABELS = {
    "fingerprint": "fingerprint",
    "reason": "reason",
    "topic": "topic",
    "service": "service",
    "conversation_id": "conversation",
}
_NAMES_OF_THE_CONTRACT = {
    "reason": {reason.value for reason in DeadLetterReason},
    "topic": {topic.name for topic in TOPICS},
    "service": {"ingress", "analyzer", "sink"},
}


def names_in_doubt(selection: Mapping[str, object]) -> dict[str, str]:
    """Members of a selection whose value may be a slip of the pen: what the contract does not have."""
    return {
        member: str(selection[member])
        for member in _LABELS
        if member in selection and selection[member] not in _NAMES_OF_THE_CONTRACT.get(member, ())
    }


def nothing_has(member: str, value: str) -> CommandError:
    """No dead letter, in whatever state, has this name."""
    known = _NAMES_OF_THE_CONTRACT.get(member)
    there_are = f"there are {', '.join(sorted(known))}" if known else "`undertone dlq list --any-state` shows all"
    return CommandError(f"No dead letter has the {_LABELS[member]} {value[:80]!r}; {there_are}.")


def selection_of(
    names: Sequence[str], filters: Filters, *, everything: bool, is_dropped: bool, now: datetime
) -> dict[str, object]:
    """The selection to be decided on. Raises UsageProblem when it names nothing, or more than can be asked at once."""
    if len(names) > _MOST_IDS:
        raise UsageProblem(f"{len(names)} ids are too many for one command; give up to {_MOST_IDS}, or a fingerprint.")
    narrowing = {
        **which(names),
        "topic": filters.topic,
        "reason": filters.reason,
        "service": filters.service,
        "conversation_id": filters.conversation_id,
        "since": _moment(filters.since, "--since", now),
        "until": _moment(filters.until, "--until", now),
    }
    selection = {name: value for name, value in narrowing.items() if value is not None}
    if not selection and not everything:
        raise UsageProblem(
            "Which dead letters? Give ids or a fingerprint (`undertone dlq list` shows them), options such as "
            "--reason, or --all."
        )
    if everything and selection:
        raise UsageProblem("--all means every dead letter; leave it out, or leave the other options out.")
    return {
        **selection,
        **({"everything": True} if everything else {}),
        **({"state": "dropped"} if is_dropped else {}),
    }


def _moment(text: str | None, option: str, now: datetime) -> str | None:
    return None if text is None else parse_moment(text, option, now).isoformat()
