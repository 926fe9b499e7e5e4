"""Words that are written longer than they are: "sooooo happyyyy" is "so happy" to the word lists."""

import re
from functools import cache
from string import ascii_lowercase

from services.analyzer.offline.lexicon import lexicon
from services.analyzer.offline.subjects import subject_book

_STRETCHES = tuple(3 * letter for letter in ascii_lowercase)
"""Twenty-six searches for a text take a tenth of the time that the expression below takes."""
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")


def has_stretched_words(text: str) -> bool:
    """Whether a letter stands three times in a row anywhere in a text."""
    return any(map(text.lower().__contains__, _STRETCHES))


def with_plain_spelling(tokens: list[str]) -> list[str]:
    """Tokens as read, with each word that holds a letter three times in a row as the word lists spell it.

    A word that no list knows in any of these spellings stays as it is; so does one that is listed as it stands.
    """
    return [_plain(token) if _LONG_RUN.search(token) else token for token in tokens]


def _plain(token: str) -> str:
    known = _known_words()
    spellings = (token, _LONG_RUN.sub(r"\1\1", token), _LONG_RUN.sub(r"\1", token))
    return next((spelling for spelling in spellings if spelling in known), token)


@cache
def _known_words() -> frozenset[str]:
    words = lexicon()
    return words.in_service.tokens | subject_book().tokens | words.negations | frozenset(words.emphasis)
