"""The words of a turn that show what was found in it, as they stand there."""

import re
from bisect import bisect_right
from itertools import groupby

from services.analyzer.offline.conversation import HeardTurn
from services.analyzer.offline.sentiment import NOWHERE
from services.analyzer.offline.turns import FEWEST_WORDS

MOST_WORDS = 12
WORDS_BEFORE, WORDS_AFTER = 4, 2
"""A quotation out of a long sentence is its beginning, if that holds what weighs most and this many words after it;
else it starts this many words before."""
LONGEST = 400
"""In characters, as the contract has it: a "word" without end (a link, a token) is cut."""

_WORD = re.compile(r"\S+")
_ENDS_OF_SENTENCE = (".", "!", "?", "\u2026")

Span = tuple[int, int]


def quote(heard: HeardTurn) -> str:
    """3 to 12 words in a row around what weighs most, within its sentence where that has three words.

    Fewer words only where the turn has fewer. The result is a part of the turn's text, character by character.
    """
    text = heard.turn.text
    words = [match.span() for match in _WORD.finditer(text)]
    if not words:
        return text[:LONGEST]
    at = _word_at(words, _position(text, heard))
    first, end = _sentence_around(text, words, at)
    if end - first > MOST_WORDS:
        if at + WORDS_AFTER >= first + MOST_WORDS:
            first = min(at - WORDS_BEFORE, end - MOST_WORDS)
        end = first + MOST_WORDS
    if end - first < FEWEST_WORDS:
        first, end = _with_neighbours(text, words, first, end)
    return text[words[first][0] : words[end - 1][1]][:LONGEST]


def _position(text: str, heard: HeardTurn) -> int:
    """Where the token that weighs most on the turn's own side stands; 0 when there is none or it cannot be told."""
    sides = (heard.reading.best, heard.reading.worst)
    index = max(sides) if NOWHERE in sides else sides[heard.score < 0]
    if index == NOWHERE:
        return 0
    token = heard.tokens[index]
    lowered = text.lower()
    spellings = (f"{token[:-2]}n't", f"{token[:-2]}n\u2019t", token) if token.endswith("nt") else (token,)
    inside_a_word = 0
    for spelling in spellings:
        position = lowered.find(spelling)
        inside_a_word = inside_a_word or max(position, 0)
        while position >= 0:
            end = position + len(spelling)
            if not (lowered[max(position - 1, 0) : position].isalnum() or lowered[end : end + 1].isalnum()):
                return position
            position = lowered.find(spelling, end)
    return inside_a_word or _position_of_stretched(lowered, token)


def _position_of_stretched(lowered: str, token: str) -> int:
    """Where a word stands that was read in its plain spelling ("bad" for "baaaad"); 0 when nowhere."""
    runs = [f"{re.escape(letter)}{{{len(list(run))},}}+" for letter, run in groupby(token)]
    # Possessive, and never begun within a run of the first letter: linear, whatever was typed.
    found = re.search(f"(?<!{re.escape(token[0])}){''.join(runs)}", lowered)
    return found.start() if found else 0


def _word_at(words: list[Span], position: int) -> int:
    return max(bisect_right(words, (position, words[-1][1])) - 1, 0)


def _sentence_around(text: str, words: list[Span], at: int) -> Span:
    """First word and the one after the last of the sentence, looked for no further than a quotation reaches."""
    first = at
    while first > 0 and at - first < MOST_WORDS and not _ends_sentence(text, words, first - 1):
        first -= 1
    end = at + 1
    while end < len(words) and end - at < MOST_WORDS and not _ends_sentence(text, words, end - 1):
        end += 1
    return first, end


def _with_neighbours(text: str, words: list[Span], first: int, end: int) -> Span:
    """A sentence of one or two words with the one before it, or else the one after it, as far as that fits."""
    while first > 0 and end - first < MOST_WORDS:
        first -= 1
        if end - first >= FEWEST_WORDS and (first == 0 or _ends_sentence(text, words, first - 1)):
            return first, end
    while end < len(words) and end - first < MOST_WORDS:
        end += 1
        if end - first >= FEWEST_WORDS and _ends_sentence(text, words, end - 1):
            break
    return first, end


def _ends_sentence(text: str, words: list[Span], index: int) -> bool:
    end = words[index][1]
    following = words[index + 1][0] if index + 1 < len(words) else end
    return text.endswith(_ENDS_OF_SENTENCE, 0, end) or "\n" in text[end:following]
