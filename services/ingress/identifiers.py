"""Ids for conversations that come without one."""

import os
import uuid
from collections.abc import Callable

_NAMESPACE = uuid.UUID("0b9b5a4e-5d0c-5d5e-9c3b-3c1f0c7a2e61")
"""Of ids derived from an Idempotency-Key; changing it would make repeated requests new conversations."""


def new_conversation_id(unix_ms: int, random: Callable[[int], bytes] = os.urandom) -> str:
    """`conv_` and 32 hexadecimal digits laid out as UUIDv7 (RFC 9562): later ids sort later, to the millisecond."""
    noise = int.from_bytes(random(10), "big")
    value = (unix_ms & 0xFFFFFFFFFFFF) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"conv_{value:032x}"


def repeatable_conversation_id(caller: str, idempotency_key: str, index: int | None) -> str:
    """The same for the same caller, Idempotency-Key and place in a bulk request (None: a single one)."""
    name = "\n".join((caller, idempotency_key, "" if index is None else str(index)))
    return f"conv_{uuid.uuid5(_NAMESPACE, name).hex}"
