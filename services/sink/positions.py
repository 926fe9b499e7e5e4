"""How far a reader of the stream has come: the next offset of each partition of conversations.analyzed.v1. Pure.

It is a vector, never a serial: several sinks commit at once, so the order of numbers is not the order of commits.
Within one partition it is: everything before its stored offset is visible together with that offset.
"""

from collections.abc import Iterable, Mapping

Positions = Mapping[int, int]

MAX_TEXT = 32 * 1024
_MOST_OFFSET = 2**63 - 1
_MOST_PARTITION = 2**31 - 1


class InvalidPosition(ValueError):  # noqa: N818 - it names what is wrong
    """The text is no position that this stream gave."""


def position_text(positions: Positions) -> str:
    """As an event's id carries it: `partition:offset`, joined by commas."""
    return ",".join(f"{partition}:{positions[partition]}" for partition in sorted(positions))


def read_position(text: str) -> dict[int, int]:
    """What `position_text` wrote. Raises InvalidPosition."""
    if len(text) > MAX_TEXT:
        raise InvalidPosition("is longer than any position")
    positions: dict[int, int] = {}
    for part in filter(None, text.split(",")):
        partition, colon, offset = part.partition(":")
        if not (colon and _is_number(partition, _MOST_PARTITION) and _is_number(offset, _MOST_OFFSET)):
            raise InvalidPosition("is no id of an event of this stream")
        positions[int(partition)] = int(offset)
    return positions


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= most


def spans_between(after: Positions, stored: Positions) -> list[tuple[int, int, int]]:
    """(partition, from, to) of what is stored and not read yet.

    A partition that `after` does not know had stored nothing then: it is read from its beginning.
    """
    spans = ((partition, after.get(partition, 0), end) for partition, end in sorted(stored.items()))
    return [(partition, begin, end) for partition, begin, end in spans if begin < end]


def position_after_page(
    after: Positions, stored: Positions, places: Iterable[tuple[int, int]], limit: int
) -> tuple[dict[int, int], bool]:
    """How far a page leads that held at most `limit` rows of each partition, and whether it led up to `stored`.

    A stored offset that lies before the reader's was set back by an operator: the reader follows.
    """
    counts: dict[int, int] = {}
    last: dict[int, int] = {}
    for partition, offset in places:
        counts[partition] = counts.get(partition, 0) + 1
        last[partition] = max(offset, last.get(partition, -1))
    full = {partition for partition, count in counts.items() if count >= limit}
    reached = {partition: last[partition] + 1 if partition in full else end for partition, end in stored.items()}
    return {**after, **reached}, not full
