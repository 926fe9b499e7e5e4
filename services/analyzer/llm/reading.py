"""Reading a completion: the results that stand in it, complete ones also out of a text that broke off.

Pure and bounded: whatever the text is, reading it raises nothing and never looks at more than it has.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_MAX_RESULTS = 500
"""Ten times the largest batch: what comes after that is not read."""
_LONGEST_INTEGER = 20
_NEXT_RESULT = re.compile(r'\{\s*"id"\s*:')
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\s*")
_SPACE = re.compile(r"[ \t\r\n]*")


class _Repeated:
    """Stands in the place of an object that names a member twice: which value counts is anybody's guess."""


REPEATED_MEMBER = _Repeated()


@dataclass(frozen=True, slots=True)
class Result:
    """One element of `results`, and the piece of the completion that it is."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read. `is_readable` is False when no `results` were found at all."""

    results: tuple[Result, ...]
    is_readable: bool
    is_whole: bool
    """Whether the list of results came to its end without a break."""
    is_cut_off: bool = False
    """Whether the text just ends, as it does when a model runs out of tokens."""


def read_completion(completion: str) -> Reading:
    """Find the list `results` (or a bare list) and take its elements one by one."""
    text = _FENCE.sub("", completion, count=1)
    try:
        start = _start_of_results(text)
        return Reading((), is_readable=False, is_whole=False) if start is None else _elements(text, start)
    except (ValueError, RecursionError):  # not JSON before the list began, or nested to exhaust the reader
        return Reading((), is_readable=False, is_whole=False)


def _unique_members(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    return members if len(members) == len(pairs) else REPEATED_MEMBER


def _whole_number(digits: str) -> int | float:
    # Python refuses to read integers of more than 4,300 digits: that would cost the neighbours their results.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_members, parse_int=_whole_number)


def _start_of_results(text: str) -> int | None:
    """The place after the bracket that opens the list; None where there is none. Raises ValueError."""
    place = _skip(text, 0)
    if text[place : place + 1] == "[":
        return place + 1
    if text[place : place + 1] != "{":
        return None
    place = _skip(text, place + 1)
    while text[place : place + 1] == '"':
        name, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            return None
        place = _skip(text, place + 1)
        if name == "results":
            return place + 1 if text[place : place + 1] == "[" else None
        _, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        if text[place : place + 1] != ",":
            return None
        place = _skip(text, place + 1)
    return None


def _elements(text: str, place: int) -> Reading:
    results: list[Result] = []
    is_whole = True
    while len(results) < _MAX_RESULTS:
        place = _skip(text, place)
        if text[place : place + 1] == "]":
            return Reading(tuple(results), is_readable=True, is_whole=is_whole)
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            is_whole, end = False, _next_result(text, place)
        else:
            results.append(Result(value, text[place:end]))
        place = _skip(text, end)
        if text[place : place + 1] == ",":
            place += 1
        elif place >= len(text):
            break
    is_cut_off = not text.rstrip().endswith(("}", "]", "```"))
    return Reading(tuple(results), is_readable=True, is_whole=False, is_cut_off=is_cut_off)


def _next_result(text: str, place: int) -> int:
    """Where the element after a malformed one begins: one bad result does not cost its neighbours theirs."""
    match = _NEXT_RESULT.search(text, place + 1)
    return match.start() if match else len(text)


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place
