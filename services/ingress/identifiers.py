"""Ids for conversations that come without one."""

import uuid
from collections.abc import Callable

from services.runtime.random_ids import random_ids

_NAMESPACE = uuid.UUID("0b9b5a4e-5d0c-5d5e-9c3b-3c1f0c7a2e61")
"""Of ids derived from an Idempotency-Key; changing it would make repeated requests new conversations."""


def new_conversation_id(unix_ms: int, random: Callable[[int], str] = random_ids.hex) -> str:
    """`conv_` and 32 hexadecimal digits laid out as UUIDv7 (RFC 9562): later ids sort later, to the millisecond.

    `random` gives so many random hexadecimal digits.
    """
    noise = random(19)
    return f"conv_{unix_ms:012x}7{noise[:3]}{_VARIANTS[noise[3]]}{noise[4:]}"


_VARIANTS = {digit: "89ab"[number % 4] for number, digit in enumerate("0123456789abcdef")}
"""The two highest bits say which kind of UUID it is."""


def repeatable_conversation_id(caller: str, idempotency_key: str, index: int | None) -> str:
    """The same for the same caller, Idempotency-Key and place in a bulk request (None: a single one)."""
    name = "\n".join((caller, idempotency_key, "" if index is None else str(index)))
    return f"conv_{uuid.uuid5(_NAMESPACE, name).hex}"
