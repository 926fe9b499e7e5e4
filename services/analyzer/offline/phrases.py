"""Words and phrases with a meaning, found in a list of tokens at one dictionary look-up a token.

Phrases win over words and longer phrases over shorter ones, so "not working" is never read as "working".
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Generic, TypeVar

from services.analyzer.offline.tokens import as_read, tokens_of

Meaning = TypeVar("Meaning")

Following = tuple[tuple[list[str], int, Meaning], ...]
"""What may follow a first token: (the other tokens, length in all, meaning), longest first."""


class PhraseBook(Generic[Meaning]):
    """An immutable set of entries, by their first token."""

    __slots__ = ("_openings",)

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], Meaning]]) -> None:
        words: dict[str, Meaning] = {}
        phrases: dict[str, dict[tuple[str, ...], Meaning]] = {}
        for (first, *rest), meaning in entries:
            if rest:
                phrases.setdefault(first, {})[tuple(rest)] = meaning
            else:
                words[first] = meaning
        self._openings: dict[str, tuple[Meaning | None, Following[Meaning]]] = {
            first: (words.get(first), _longest_first(phrases.get(first, {}))) for first in words | phrases
        }

    def __contains__(self, word: str) -> bool:
        """Whether an entry begins with this token."""
        return word in self._openings

    def find(self, tokens: list[str]) -> Iterator[tuple[int, int, Meaning]]:
        """Each entry found, left to right, none overlapping another: (index, length in tokens, meaning)."""
        free_from = 0
        for index, opening in enumerate(map(self._openings.get, tokens)):
            if opening is None or index < free_from:
                continue
            meaning, following = opening
            for rest, length, phrase_meaning in following:
                if tokens[index + 1 : index + length] == rest:
                    yield index, length, phrase_meaning
                    free_from = index + length
                    break
            else:
                if meaning is not None:
                    yield index, 1, meaning


def _longest_first(phrases: dict[tuple[str, ...], Meaning]) -> Following[Meaning]:
    by_length = sorted(phrases.items(), key=lambda phrase: (-len(phrase[0]), phrase[0]))
    return tuple((list(rest), len(rest) + 1, meaning) for rest, meaning in by_length)


def read_word_list(file_name: str) -> Iterator[tuple[str, float, tuple[str, ...]]]:
    """(section, number, tokens) of each entry of a word list of this package, in the order written.

    Raises ValueError that names the file and line when an entry has no token.
    """
    section = ""
    lines = (files(__package__) / file_name).read_text(encoding="utf-8").splitlines()
    for line_number, line in enumerate(lines, start=1):
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("# "):
            number, _, entries = line.partition(":")
            for entry in entries.split("|"):
                tokens = tuple(as_read(tokens_of(entry.replace("#", "0"))))
                if not tokens:
                    raise ValueError(f"{file_name}:{line_number}: an entry without a word")
                yield section, float(number), tokens
