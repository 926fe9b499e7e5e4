"""Whether a text is in a language that the word lists know. They know English.

Judged by script and by function words, the commonest words of each language, which hardly any sentence of some
length can do without. Words that English has too are left out of the other lists.
"""

import re
from functools import cache
from importlib.resources import files

LETTERS_A_SIGN = 3
"""A letter of another script weighs as much as three Latin ones: Chinese and Japanese write a word with one or two, and
Latin brand names stand among them."""
SURELY_ENGLISH = 4
"""So many different English function words settle it, as long as they are not lost among others."""
LONG = 10
"""From this many different words on, a text without English function words is not English."""
LEAST_ENGLISH_SHARE = 0.08

_LETTERS_OF_OTHER_SCRIPTS = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f]")
_LATIN_LETTERS = re.compile(r"[A-Za-z\u00c0-\u024f]")


@cache
def function_words() -> dict[str, frozenset[str]]:
    """The function words of each language, `en` among them; read once a process."""
    words: dict[str, set[str]] = {}
    for line in (files(__package__) / "function_words.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            language, _, listed = line.partition(":")
            words.setdefault(language, set()).update(listed.split())
    return {language: frozenset(listed) for language, listed in words.items()}


def is_known(text: str, tokens: list[str]) -> bool:
    """Whether a text can be read with English word lists; a text without a word can (its emoji speak)."""
    if not text.isascii():
        foreign = len(_LETTERS_OF_OTHER_SCRIPTS.findall(text))
        if foreign and LETTERS_A_SIGN * foreign > len(_LATIN_LETTERS.findall(text)):
            return False
    words = set(tokens)
    shared = {language: len(words & listed) for language, listed in function_words().items()}
    english = shared.pop("en")
    if english >= SURELY_ENGLISH and english >= LEAST_ENGLISH_SHARE * len(words):
        return True
    if max(shared.values()) > english:
        return False
    return len(words) < LONG or english >= LEAST_ENGLISH_SHARE * len(words)
