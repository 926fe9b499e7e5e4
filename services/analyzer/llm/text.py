"""Finding a quotation in a conversation, however a model retyped its spaces, quotes, dashes and case.

Matching is done on normalised text; what is stored is cut out of the original, so that a plain search finds it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIN_EVIDENCE_WORDS = 3
MAX_EVIDENCE_WORDS = 12
MAX_EVIDENCE_CHARACTERS = 400

_SAME = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    "\u2026": "...",
}
_INVISIBLE = dict.fromkeys(
    [
        *range(0x09),
        *range(0x0E, 0x1C),
        0x7F,
        *range(0x80, 0x85),
        *range(0x86, 0xA0),
        0xAD,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        0xFEFF,
        *range(0xE0000, 0xE0080),
    ]
)
"""Control and zero-width characters: they take no place on a screen, and models drop them."""
_NORMALISE = str.maketrans(_SAME) | _INVISIBLE
_WORD = re.compile(r"\S+")
_AROUND_A_QUOTATION = " \"'.,;:!?()[]-"
"""Marks that a model puts around a quotation, as normalisation leaves them."""
_FIRST_SCRIPT_WITHOUT_SPACES = "\u0e00"
"""From Thai on, letters in a row are no sign of one word; below it (Latin, Cyrillic, Arabic, …) they are."""


@dataclass(frozen=True, slots=True)
class Passages:
    """A conversation as quotations are looked for: its turns, as they came and normalised."""

    originals: tuple[str, ...]
    normalised: tuple[str, ...]
    whole: str
    """The normalised turns, one a line: normalised text has no line breaks, so nothing is found across turns."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Passages":
        originals = tuple(texts)
        normalised = tuple(normalise(text) for text in originals)
        return cls(originals, normalised, "\n".join(normalised))

    def contain(self, normalised: str) -> bool:
        """Whether the letters occur anywhere in one turn, inside of words too."""
        return normalised in self.whole

    def quote(self, quotation: str) -> str | None:
        """The words of the conversation that the quotation means: 3 to 12 in a row out of one turn.

        A shorter quotation is widened by its neighbours, a longer one cut. None when it does not occur.
        """
        wanted = normalise(quotation).strip(_AROUND_A_QUOTATION)
        if not wanted:
            return None
        for original, turn in zip(self.originals, self.normalised, strict=True):
            place = _place_of(wanted, turn)
            if place is not None:
                return _cut(original, turn, place, place + len(wanted))
        return None


def normalise(text: str) -> str:
    """One form for all ways of typing the same words: NFC, plain quotes, single spaces, no case."""
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():  # most turns; four times as fast
        return text.replace("`", "'").lower()
    return " ".join(unicodedata.normalize("NFC", text).translate(_NORMALISE).casefold().split())


def visible(text: str) -> str:
    """The text in NFC without control and zero-width characters, on one line."""
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    return " ".join(unicodedata.normalize("NFC", text).translate(_INVISIBLE).split())


def unquoted(quotation: str) -> str:
    """A quotation in its normalised form, without the marks around it."""
    return normalise(quotation).strip(_AROUND_A_QUOTATION)


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, ending in an ellipsis where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _place_of(wanted: str, turn: str) -> int | None:
    place = turn.find(wanted)
    while place >= 0:
        if not (_joins(turn, place) or _joins(turn, place + len(wanted))):
            return place
        place = turn.find(wanted, place + 1)
    return None


def _joins(text: str, place: int) -> bool:
    """Whether the characters on both sides of a place belong to one word."""
    if place <= 0 or place >= len(text):
        return False
    before, after = text[place - 1], text[place]
    return (
        before.isalnum()
        and after.isalnum()
        and before < _FIRST_SCRIPT_WITHOUT_SPACES
        and after < _FIRST_SCRIPT_WITHOUT_SPACES
    )


def _cut(original: str, turn: str, start: int, end: int) -> str | None:
    spans = [match.span() for match in _WORD.finditer(original) if match.group().translate(_NORMALISE)]
    first, last = turn.count(" ", 0, start), turn.count(" ", 0, end)
    if len(spans) != turn.count(" ") + 1:  # a word fell apart in normalisation: no safe way back
        return None
    first, last = _widened(first, last, len(spans))
    quoted = original[spans[first][0] : spans[last][1]]
    while len(quoted) > MAX_EVIDENCE_CHARACTERS and last > first:
        last -= 1
        quoted = original[spans[first][0] : spans[last][1]]
    return quoted[:MAX_EVIDENCE_CHARACTERS]


def _widened(first: int, last: int, words: int) -> tuple[int, int]:
    last = min(last, first + MAX_EVIDENCE_WORDS - 1)
    while last - first + 1 < min(MIN_EVIDENCE_WORDS, words):
        if last + 1 < words:
            last += 1
        else:
            first -= 1
    return first, last


def occurs_elsewhere(quotation: str, others: Sequence[Passages]) -> bool:
    """Whether the quotation's letters occur in any of the other conversations."""
    wanted = unquoted(quotation)
    return bool(wanted) and any(other.contain(wanted) for other in others)
