"""JSON as strictly as a front door should read it: no duplicate members, no NaN, no invalid UTF-8, bounded depth.

Python's parser is lenient about the first two and pydantic's about the first, which lets two readers of one body
see two different conversations.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import JsonValue

MAX_DEPTH = 40
"""Levels of nesting: 32 for `metadata` and `raw`, the rest for what stands around them."""

_MEMBER = re.compile(rb'"[ \t\r\n]*:')


class NotStrictJson(ValueError):  # noqa: N818 - it names what was met
    """The text is not JSON as it must be here; the message is a sentence about the place, without the text."""


class DuplicateMembers(dict[str, Any]):
    """An object that named a member twice; `names` are those."""

    def __init__(self, pairs: list[tuple[str, Any]], names: list[str]) -> None:
        super().__init__(pairs)
        self.names = names


def read_strictly(text: bytes) -> Any:
    """The value; objects with duplicate members come as DuplicateMembers. Raises NotStrictJson."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"is not UTF-8: byte {error.start} cannot be read") from error
    if not decoded or decoded.isspace():
        raise NotStrictJson("is empty: a conversation as JSON is needed")
    if decoded.startswith("\ufeff"):
        raise NotStrictJson("is not valid JSON: it begins with a byte order mark; send UTF-8 without one")
    try:
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" at")  # the standard library has it both ways
        raise NotStrictJson(f"is not valid JSON: {problem} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise NotStrictJson(f"is nested deeper than {MAX_DEPTH} levels") from error
    except NotStrictJson:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise NotStrictJson("is not valid JSON: a number has too many digits") from error
    _refuse_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    twice = [name for name, _ in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return DuplicateMembers(pairs, list(dict.fromkeys(twice)))


def _refuse_constant(constant: str) -> Any:
    raise NotStrictJson(f"is not valid JSON: {constant} is not a JSON value")


def _refuse_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise NotStrictJson(f"is nested deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def duplicates_in(value: Any, place: str = "") -> list[str]:
    """The places of all members that stand twice in one object of a value from `read_strictly`."""
    found = [f"{place}{name}" for name in value.names] if isinstance(value, DuplicateMembers) else []
    named: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        named = value.items()
    elif isinstance(value, list):
        named = enumerate(value)
    for name, child in named:
        if isinstance(child, dict | list):
            found += duplicates_in(child, f"{place}{name}.")
    return found


def has_no_duplicates(text: bytes, members: int) -> bool:
    """Whether valid JSON text that was read into so many members surely names none twice; cheap.

    Every member is a quote and a colon in the text, so equal counts leave no room for one that was dropped. Text
    that looks like a member may make the count larger: then the answer is no, though there may be none.
    """
    return len(_MEMBER.findall(text)) == members


def count_members(value: JsonValue) -> int:
    """The members of all objects in a JSON value."""
    if isinstance(value, dict):
        return len(value) + sum(count_members(member) for member in value.values())
    if isinstance(value, list):
        return sum(count_members(element) for element in value)
    return 0
