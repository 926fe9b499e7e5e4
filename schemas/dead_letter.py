"""Dead letters: a record that could not be processed, byte for byte, with headers that say why.

The original headers stay untouched; ours carry the prefix `undertone_dead_letter_`. A dead letter above 6 MiB
carries the first 64 KiB only, the SHA-256 of the whole and the place of the original. Headers beyond 1 MiB are cut to
the first that fit 64 KiB: what a compressed batch brought in must still fit into a record of its own.
"""

import hashlib
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.event import OpenEnum

DEAD_LETTER_NAMESPACE = UUID("3e1a1b5c-6c2b-5b0f-8f5e-0b7d7c2f9d41")
MAX_WHOLE_BYTES = 6 * 1024 * 1024
TRUNCATED_BYTES = 64 * 1024
MAX_HEADERS_BYTES = 1024 * 1024
_PREFIX = "undertone_dead_letter_"

Headers = Sequence[tuple[str, bytes]]


class DeadLetterReason(OpenEnum):
    """Why a record could not be processed."""

    UNDECODABLE = "undecodable"
    KEY_MISMATCH = "key_mismatch"
    UNKNOWN_TYPE = "unknown_type"
    LLM_ERROR = "llm_error"
    INVALID_RESULT = "invalid_result"
    CONTENT_REFUSED = "content_refused"
    UNPUBLISHABLE = "unpublishable"
    UNSTORABLE = "unstorable"
    """Postgres refused the row."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of the original record; `timestamp_ms` is the broker's, in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What the headers of a dead letter say. `detail` never holds conversation text."""

    id: UUID
    reason: DeadLetterReason
    detail: str
    origin: Origin
    failed_at: datetime
    service: str
    sha256: str
    original_size: int
    is_truncated: bool
    ancestors: tuple[UUID, ...] = ()
    """Dead letters that this record was before it was sent again, the oldest first."""


def dead_letter_id_of(origin: Origin) -> UUID:
    """UUIDv5 of (topic, partition, offset): the same record is the same dead letter, however often it fails."""
    return uuid.uuid5(DEAD_LETTER_NAMESPACE, f"{origin.topic}\n{origin.partition}\n{origin.offset}")


def is_dead_letter_header(name: str) -> bool:
    """Whether a header is one of ours and not the original record's."""
    return name.startswith(_PREFIX)


def bury(
    value: bytes | None,
    headers: Headers,
    *,
    origin: Origin,
    reason: DeadLetterReason,
    detail: str,
    failed_at: datetime,
    service: str,
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The value and headers of the dead letter for a record (its key is the original's)."""
    original = value or b""
    untouched = [(name, content) for name, content in headers if not is_dead_letter_header(name)]
    kept = untouched if sum(map(_size_of, untouched)) <= MAX_HEADERS_BYTES else _first_that_fit(untouched)
    is_whole = len(original) <= MAX_WHOLE_BYTES
    fields = {
        "id": str(dead_letter_id_of(origin)),
        "reason": reason.value,
        "detail": detail[:500],
        "topic": origin.topic,
        "partition": str(origin.partition),
        "offset": str(origin.offset),
        "timestamp_ms": str(origin.timestamp_ms),
        "failed_at": failed_at.isoformat(),
        "service": service,
        "sha256": hashlib.sha256(original).hexdigest(),
        "original_size": str(len(original)),
        "truncated": "false" if is_whole and len(kept) == len(untouched) else "true",
        "ancestors": ",".join(_ancestors(headers)),
    }
    ours = [(_PREFIX + name, content.encode()) for name, content in fields.items()]
    return (original if is_whole else original[:TRUNCATED_BYTES]), kept + ours


_HEADER_OVERHEAD_BYTES = 10
"""Kafka writes the lengths of a header's name and value, each in at most five bytes."""


def _size_of(header: tuple[str, bytes]) -> int:
    name, content = header
    return len(name.encode()) + len(content) + _HEADER_OVERHEAD_BYTES


def _first_that_fit(headers: Headers) -> list[tuple[str, bytes]]:
    sizes = itertools.accumulate(map(_size_of, headers))
    return [header for header, size in zip(headers, sizes, strict=True) if size <= TRUNCATED_BYTES]


def _ancestors(headers: Headers) -> list[str]:
    """The ids that a redriven record carries, oldest first."""
    return [content.decode() for name, content in headers if name == REDRIVEN_FROM]


REDRIVEN_FROM = "undertone_redriven_from"
"""Header of a record that was sent again: the id of the dead letter it was; one header for each time."""


def exhume(headers: Headers) -> DeadLetter:
    """Read the headers that `bury` wrote. Raises ValueError when they are missing or malformed."""
    fields = {name.removeprefix(_PREFIX): content for name, content in headers if is_dead_letter_header(name)}
    try:
        text = {name: content.decode() for name, content in fields.items()}
        return DeadLetter(
            id=UUID(text["id"]),
            reason=DeadLetterReason(text["reason"]),
            detail=text["detail"],
            origin=Origin(text["topic"], int(text["partition"]), int(text["offset"]), int(text["timestamp_ms"])),
            failed_at=datetime.fromisoformat(text["failed_at"]),
            service=text["service"],
            sha256=text["sha256"],
            original_size=int(text["original_size"]),
            is_truncated=text["truncated"] == "true",
            ancestors=tuple(UUID(ancestor) for ancestor in text["ancestors"].split(",") if ancestor),
        )
    except KeyError as error:
        raise ValueError(f"a dead letter without the header {_PREFIX}{error.args[0]}") from error
