"""Paging cursors: opaque, signed, and bound to the question they continue. Pure.

A cursor says after which row the next page starts, and carries the window, so that "the last 24 hours" does not move
while somebody pages. It is signed with the installation's key: a forged one is refused, not obeyed.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.sink.windows import Window

_SIGNATURE_BYTES = 16


class InvalidCursor(ValueError):  # noqa: N818 - it names what was given
    """Not a cursor of this installation, or one of another question."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the window, and the sort value and conversation of its last row."""

    window: Window
    after: int | float
    """Microseconds since 1970, a score or a confidence, as the order has it."""
    conversation_id: str


def question_of(filters: Mapping[str, object]) -> str:
    """A short digest of everything that must stay the same from page to page."""
    text = json.dumps({name: str(value) for name, value in filters.items() if value is not None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_cursor(cursor: Cursor, question: str, key: str) -> str:
    """The cursor as a client carries it."""
    members = [
        question,
        micros_of(cursor.window.start),
        micros_of(cursor.window.end),
        cursor.after,
        cursor.conversation_id,
    ]
    text = json.dumps(members, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(text, key) + text).rstrip(b"=").decode()


def read_cursor(text: str, question: str, key: str) -> Cursor:
    """Read what `write_cursor` wrote. Raises InvalidCursor."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("is not a cursor of this API") from error
    signature, members = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(members, key)):
        raise InvalidCursor("is not a cursor of this API")
    asked, start, end, after, conversation_id = json.loads(members)
    if asked != question:
        raise InvalidCursor("belongs to another question: send the same filters and order as for the first page")
    return Cursor(Window(moment_of(start), moment_of(end)), after, conversation_id)


def _signature(text: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), text, "sha256")[:_SIGNATURE_BYTES]


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment_of(micros: int) -> datetime:
    """What `micros_of` was given, in UTC."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
