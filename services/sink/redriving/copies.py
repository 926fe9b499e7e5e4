"""The record that sends a dead letter again: its own bytes, and headers that say where it has been. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from schemas.dead_letter import REDRIVEN_FROM, TRUNCATED_BYTES
from schemas.event import Revision
from schemas.topics import ANALYZED, RECEIVED, REPLAY, Topic

REDRIVABLE: Mapping[str, Topic] = {topic.name: topic for topic in (RECEIVED, REPLAY, ANALYZED)}
"""Topics whose records can be sent again, by name."""
_REVISION = "undertone_revision"

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Copy:
    """A record to be sent."""

    letter_id: UUID
    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers


def why_not_sendable(letter: Mapping[str, Any]) -> str | None:
    """Why a letter cannot be sent again byte for byte, in one sentence; None when it can. Needs no bytes of it.

    The same condition, for choosing letters, is `SENDABLE` in sql/redrives.py.
    """
    if letter["origin_topic"] not in REDRIVABLE:
        return "it names no topic that records could be sent to: somebody wrote it by hand"
    if letter["is_truncated"] or letter["key_size"] >= TRUNCATED_BYTES:
        return "it holds the beginning of its record only; the whole stood at its origin, until that topic's retention"
    return None


def is_damaged(letter: Mapping[str, Any]) -> bool:
    """Whether the bytes that are kept are not those that were buried."""
    digest: str = letter["sha256"]
    return hashlib.sha256(letter["record_value"] or b"").hexdigest() != digest


def copy_of(letter: Mapping[str, Any]) -> Copy:
    """The copy of a letter that can be sent.

    A copy of a conversation says which revision it is, else it would be a newer one and hide what was posted since.
    """
    headers = list(zip(letter["header_names"], letter["header_values"], strict=True))
    topic = REDRIVABLE[letter["origin_topic"]]
    if topic is not ANALYZED and not any(name == _REVISION for name, _ in headers):
        revision = Revision(letter["origin_timestamp_ms"], letter["origin_offset"])
        headers.append((_REVISION, str(revision).encode()))
    headers.append((REDRIVEN_FROM, str(letter["dead_letter_id"]).encode()))
    return Copy(letter["dead_letter_id"], topic, letter["record_key"], letter["record_value"], tuple(headers))


def letter_of(headers: Headers) -> UUID | None:
    """The dead letter that a record is a copy of; None for one that is no copy."""
    for name, content in reversed(headers):
        if name == REDRIVEN_FROM:
            try:
                return UUID((content or b"").decode())
            except ValueError:
                return None
    return None
