"""How much JSON a body may hold, beside how many bytes: what is read one by one costs more than its bytes.

A mebibyte of `[[]],` is two hundred thousand arrays, which cost a hundred times what a mebibyte of text costs to check.
The limits are far above what conversations hold: 30,000 turns fit.
"""

import re

from services.ingress.refusals import refused_body

MAX_CONTAINERS = 30_000
MAX_COMMAS = 100_000
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""Matches from every quote, also where a string does not end: else it would be tried again at each quote inside."""


def surely_has_few_parts(text: bytes, *, arrays: int, shortest_object: int) -> bool:
    """Whether a body that holds at most so many arrays, and objects of so many bytes and few members, is allowed.

    Cheap: brackets and commas need not be counted, and in most bodies not even braces.
    """
    objects = MAX_CONTAINERS - arrays
    return len(text) <= objects * shortest_object or text.count(b"{") <= objects


def refuse_too_many_parts(text: bytes) -> None:
    """Raise a 400 Problem when a body holds too many objects, arrays, members or elements."""
    if _has_too_many(text) and _has_too_many(_STRING.sub(b"", text)):  # brackets and commas in what was said are fine
        raise refused_body(f"The body holds more than {MAX_CONTAINERS:,} objects and arrays, or {MAX_COMMAS:,} values")


def _has_too_many(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") > MAX_CONTAINERS or text.count(b",") > MAX_COMMAS
