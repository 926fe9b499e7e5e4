"""Words and phrases with a meaning, found in a list of tokens at one dictionary look-up a token.

Phrases win over words and longer phrases over shorter ones, so "not working" is never read as "working".
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import compress
from typing import Final, Generic, TypeVar

from services.analyzer.offline.tokens import as_read, tokens_of

Meaning = TypeVar("Meaning")

Phrase = tuple[list[str], int, Meaning]
"""The tokens after the first, the length with it, the meaning."""


class PhraseBook(Generic[Meaning]):
    """An immutable set of entries, by their first token and then by their second."""

    __slots__ = ("_openings", "tokens")

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], Meaning]]) -> None:
        words: dict[str, Meaning] = {}
        phrases: dict[str, dict[tuple[str, ...], Meaning]] = {}
        tokens: set[str] = set()
        for (first, *rest), meaning in entries:
            tokens.update((first, *rest))
            if rest:
                phrases.setdefault(first, {})[tuple(rest)] = meaning
            else:
                words[first] = meaning
        self._openings: dict[str, tuple[Meaning | None, dict[str, list[Phrase[Meaning]]]]] = {
            first: (words.get(first), _by_second_token(phrases.get(first, {}))) for first in words | phrases
        }

        self.tokens: Final = frozenset(tokens)
        """Every token of every entry."""

    def find(self, tokens: list[str]) -> Iterator[tuple[int, int, Meaning]]:
        """Each entry found, left to right, none overlapping another: (index, length in tokens, meaning)."""
        openings = list(map(self._openings.get, tokens))
        free_from = 0
        for index in compress(range(len(tokens)), openings):
            opening = openings[index]
            if index < free_from or opening is None:
                continue
            meaning, following = opening
            if following and index + 1 < len(tokens) and (phrases := following.get(tokens[index + 1])):
                for rest, length, phrase_meaning in phrases:
                    if tokens[index + 1 : index + length] == rest:
                        free_from = index + length
                        yield index, length, phrase_meaning
                        break
                if index < free_from:
                    continue
            if meaning is not None:
                yield index, 1, meaning


def _by_second_token(phrases: dict[tuple[str, ...], Meaning]) -> dict[str, list[Phrase[Meaning]]]:
    by_second: dict[str, list[Phrase[Meaning]]] = {}
    for rest, meaning in sorted(phrases.items(), key=lambda phrase: (-len(phrase[0]), phrase[0])):
        by_second.setdefault(rest[0], []).append((list(rest), len(rest) + 1, meaning))
    return by_second


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
