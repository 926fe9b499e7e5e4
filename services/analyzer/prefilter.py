"""Conversations that need no engine: named, versioned rules on the customer's words. Pure.

A rule that changes what it skips gets a new version. The rules must not lose what matters: a word that any word
list knows ("refund", "broken", an angry emoji) keeps the shortest text in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.conversation_received import Role, Turn
from schemas.conversation_skipped import SkipReason
from services.analyzer.offline.lexicon import lexicon
from services.analyzer.offline.spelling import with_plain_spelling
from services.analyzer.offline.subjects import subject_book
from services.analyzer.offline.tokens import as_read, tokens_of

MIN_CHARACTERS: Final = 8
"""Letters below which a text without a known word is too short; the default of ANALYZER_MIN_CHARACTERS."""
MOST_COURTESY_WORDS: Final = 6
SURELY_LONG: Final = 200
"""Characters above which a text is neither short nor mere courtesy, whatever it says; with a higher minimum of
letters, that many times the minimum."""
SURELY_LETTERS: Final = 4
LONGEST_LIST_OF_LINKS: Final = 4_000
"""In characters; longer texts are not searched for links but analysed: the time a decision takes is bounded."""

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_ANYTHING_SAID = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f300-\U0001faff]")
_HANDLE = re.compile(r"@\w+")
_LETTER = re.compile(r"[^\W\d_]")
_COURTESY_WORDS: Final = (
    "hi hello hey there dear sir madam team all everyone good morning afternoon evening day night bye "
    "goodbye thanks thank you thx ty cheers ok okay k alright yes yep yeah no welcome ur again for the "
    "your help reply info and to"
)
_COURTESY: Final = frozenset(_COURTESY_WORDS.split())
_EMPHASIS = re.compile(r"!|\?")
_STRONG_EMPHASIS = re.compile(r"[!?]{2}")
_LETTERS_A_SIGN: Final = 3
"""A letter outside ASCII counts as so many: other scripts write a word with one to three."""
_STOPS: Final = frozenset(".,;:\n")


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a conversation is skipped, and the version of the rule that says so."""

    reason: SkipReason
    rule_version: int


TOO_SHORT: Final = Skip(SkipReason.TOO_SHORT, rule_version=2)
ONLY_LINKS: Final = Skip(SkipReason.ONLY_LINKS, rule_version=1)
BOILERPLATE: Final = Skip(SkipReason.BOILERPLATE, rule_version=1)


@dataclass(frozen=True, slots=True)
class Prefilter:
    """Decides before the engine whether there is anything to judge."""

    min_characters: int = MIN_CHARACTERS

    def decide(self, turns: Sequence[Turn]) -> Skip | None:
        """The first rule that applies to what the customer said, or None: analyse it.

        Without a turn of a customer the words of all speakers but the company's are looked at; without those
        all words, so that a conversation is never skipped for its roles.
        """
        texts = _texts_that_count(turns)
        if _says_much(texts, self.min_characters):
            return None
        text = "\n".join(texts)
        without_links = _HANDLE.sub(" ", _LINK.sub(" ", text))
        if not _ANYTHING_SAID.search(without_links):
            return ONLY_LINKS if _LINK.search(text) else TOO_SHORT
        tokens = as_read(tokens_of(text))
        if _is_courtesy(text, tokens):
            return BOILERPLATE
        if _letters(without_links) < self.min_characters and not _says_something(text, with_plain_spelling(tokens)):
            return TOO_SHORT
        return None


def _texts_that_count(turns: Sequence[Turn]) -> list[str]:
    for roles in ((Role.CUSTOMER,), (Role.UNKNOWN, Role.SYSTEM)):
        texts = [turn.text for turn in turns if turn.role in roles]
        if texts:
            return texts
    return [turn.text for turn in turns]


def _says_much(texts: list[str], min_characters: int) -> bool:
    """Whether one look shows that no rule can apply: most conversations, at next to no cost."""
    length = sum(map(len, texts))
    if length > max(SURELY_LONG, SURELY_LETTERS * min_characters):
        return length > LONGEST_LIST_OF_LINKS or not any("http" in text or "www." in text for text in texts)
    return False


def _is_courtesy(text: str, tokens: list[str]) -> bool:
    """A plain greeting or thank-you and nothing else; shouted or asked it may mean more."""
    words = [token for token in tokens if token not in _STOPS]
    if not 0 < len(words) <= MOST_COURTESY_WORDS or _EMPHASIS.search(text):
        return False
    return all(word in _COURTESY for word in words)


def _letters(text: str) -> int:
    return sum(1 if letter.isascii() else _LETTERS_A_SIGN for letter in _LETTER.findall(text))


def _says_something(text: str, tokens: list[str]) -> bool:
    """Whether a very short text has a word that any word list knows, or emphasis that stands for one."""
    if _STRONG_EMPHASIS.search(text):
        return True
    if any(valence for _, _, (valence, _) in lexicon().in_service.find(tokens)):
        return True
    return next(subject_book().find(tokens), None) is not None
