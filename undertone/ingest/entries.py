"""What a reader finds in a file: conversations as their senders wrote them, and places it cannot read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Members = dict[str, Any]
"""A JSON object."""

MAX_ENTRY_BYTES = 8 * 1024 * 1024
"""What is read of one conversation at most; the services accept less, but a file may hold anything."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One conversation of a file; `text` is the JSON as it stands there, unless the reader made it."""

    number: int
    members: Members
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place in the file that holds no conversation, and why. The problem never quotes the text."""

    number: int
    problem: str
    field: str = ""


Found = Entry | Unreadable


class Reader(Protocol):
    """A file of conversations. Memory does not grow with the file."""

    unit: str
    """What `number` counts: `line` or `conversation`."""

    def entries(self, skip: int = 0) -> Iterator[Found]:
        """All entries in a fixed order, leaving out the first `skip`; may be called again."""

    def share_done(self) -> float:
        """How much of the file was read, from 0 to 1."""


class NotJson(ValueError):  # noqa: N818 - it names what was met, as house style asks
    """Text that is not one JSON value; the message is for a person and quotes nothing."""


def parse(text: str) -> Any:
    """Read one JSON value strictly: no NaN, no repeated members. Raises NotJson."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(describe_json_error(error)) from error
    except RecursionError as error:
        raise NotJson("is nested too deeply") from error
    except ValueError as error:  # our own refusals, and numbers with thousands of digits
        raise NotJson(str(error)) from error


def describe_json_error(error: json.JSONDecodeError) -> str:
    """The error with its column and, in a text of several lines, its line."""
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} column {error.colno}"
    return f"{json_problem(error)} at {place}"


def json_problem(error: json.JSONDecodeError) -> str:
    """The error without its place."""
    return f"is not JSON: {error.msg.lower().removesuffix(' at')}"  # the standard library has it both ways


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"contains {name}, which JSON does not have")


def _without_repeats(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the member {repeated[:60]!r} twice")
    return members


DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
