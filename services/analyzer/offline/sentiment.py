"""How one text sounds: VADER's rules, and what customers mean when they write to a company.

The rules on negation, degree words, capitals, "but" and exclamation marks and their constants are those of
Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text" (ICWSM
2014). Ours are the rules for texts about a service: weak signs add up, an open question complains, and
politeness does not outweigh a complaint (which is how most sarcasm reads: praise beside a complaint).
"""

import re
from dataclasses import dataclass
from math import sqrt

from vaderSentiment.vaderSentiment import C_INCR, N_SCALAR

from services.analyzer.offline.lexicon import Kind, Lexicon

EXCLAMATION = 0.292
MOST_EXCLAMATIONS = 4
BEFORE_BUT, AFTER_BUT = 0.5, 1.5
REACH = 3
"""How many tokens before a word may negate or emphasise it."""
FADE = 0.05
"""What a degree word loses with each token of distance."""
NORMAL = 15.0
"""VADER's normalisation: a valence v becomes v / sqrt(v^2 + 15)."""

PRAISE_IN_QUOTES = -0.5
"""A single word in quotation marks is meant the other way round: their "service"."""
NEGATED_COMPLAINT = -0.4
"""What a negated complaint is worth: "no delays" is no more than mildly good."""
COMPLAINT = -1.5
"""A complaint of this weight or more makes praise beside it count by the share below."""
PRAISE_BESIDE_COMPLAINT = 0.3
PRAISE = 1.5
"""Praise of this weight with no complaint worth LITTLE makes weak signs count by the share below."""
LITTLE = -1.0
NAGGING_BESIDE_PRAISE = 0.3
MOST_NAGGING = -2.5
NAGGING_TOKENS = 30
"""In a text of more tokens weak signs are to be expected: they count in proportion."""
NOT_PRAISED = -0.5
"""Added to what is about a service and does not praise it: few people write to a company to say nothing."""
OPEN_QUESTION = -0.7
PRAISE_IN_QUESTION = 0.3
"""Who asks a company is polite first: "thanks, but when will it arrive?"."""

_QUOTED_WORD = re.compile(r'["\u201c]\w+["\u201d]')
_NO_NEGATIONS = frozenset(
    [("nothing", "short"), ("nothing", "but"), ("not", "only"), ("not", "just"), ("no", "doubt"), ("without", "doubt")]
)
"""What affirms with a negation: "nothing short of amazing"."""
_UNABLE = frozenset(["couldnt", "cant", "cannot", "not"])
_ABLE = frozenset(["could", "can"])
"""Who "couldn't be happier" or "could not be more pleased" is as pleased as can be."""
_ENDS_OF_CLAUSE = frozenset(".,;:!?\n")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one text, on VADER's unbounded scale."""

    praise: float
    complaint: float
    """The sum of all that speaks against, 0 or negative."""
    nagging: float
    is_asking: bool
    best: int
    """Index of the token that praises most; NOWHERE when none does."""
    worst: int
    """Index of the token that complains most, else of the first weak sign; NOWHERE when there is none."""

    @property
    def has_feeling(self) -> bool:
        """Whether a word with a feeling was found; weak signs are none."""
        return bool(self.praise or self.complaint)


NOWHERE = -1
NOTHING_READ = Reading(0.0, 0.0, 0.0, is_asking=False, best=NOWHERE, worst=NOWHERE)


def read(written: list[str], tokens: list[str], lexicon: Lexicon, *, is_service: bool) -> Reading:
    """Find what a text says; `written` are the tokens with their capitals, `tokens` as read."""
    book = lexicon.in_service if is_service else lexicon.everywhere
    praise = complaint = nagging = highest = lowest = 0.0
    is_asking = False
    best = worst = NOWHERE
    but = tokens.index("but") if "but" in tokens else -1
    for index, length, (rating, kind) in book.find(tokens):
        if kind is Kind.NAGGING:
            nagging += rating
            worst = index if worst == NOWHERE else worst
        elif kind is Kind.ASKING:
            is_asking = True
        elif rating:
            valence = _in_context(_shouted(rating, written, index, length), tokens, index, lexicon, length)
            if but >= 0:
                valence *= BEFORE_BUT if index < but else AFTER_BUT
            if valence > 0:
                praise += valence
                highest, best = max((highest, best), (valence, index))
            else:
                complaint += valence
                lowest, worst = min((lowest, worst), (valence, index))
    nagging *= min(1.0, NAGGING_TOKENS / max(len(tokens), 1))
    return Reading(praise, complaint, max(nagging, MOST_NAGGING), is_asking, best, worst)


def valence_of(reading: Reading, text: str, tokens: list[str], *, is_service: bool) -> float:
    """What a text comes to, on VADER's unbounded scale: negative for a complaint."""
    praise, complaint = reading.praise, reading.complaint
    if is_service:
        is_question = "?" in text and any(token[0] in "?!" and "?" in token for token in tokens)
        if is_question:
            praise *= PRAISE_IN_QUESTION
        if ('"' in text or "\u201c" in text) and _QUOTED_WORD.search(text):
            praise *= PRAISE_IN_QUOTES
        if complaint <= COMPLAINT:
            praise *= PRAISE_BESIDE_COMPLAINT
        if praise >= PRAISE and complaint > LITTLE:
            valence = praise + complaint + NAGGING_BESIDE_PRAISE * reading.nagging
        else:
            valence = praise + complaint + reading.nagging + _unpraised(reading, is_question=is_question)
    else:
        valence = praise + complaint
    if valence and "!" in text:
        valence += _toward(valence, EXCLAMATION * min(text.count("!"), MOST_EXCLAMATIONS))
    return valence


def normalised(valence: float) -> float:
    """A valence in [-1, 1], as VADER's compound score."""
    return valence / sqrt(valence * valence + NORMAL)


def _unpraised(reading: Reading, *, is_question: bool) -> float:
    if is_question:
        return NOT_PRAISED if reading.is_asking else NOT_PRAISED + OPEN_QUESTION
    return NOT_PRAISED if reading.complaint or reading.nagging or reading.praise else 0.0


def _shouted(valence: float, written: list[str], index: int, length: int) -> float:
    """A word in capitals weighs more, where capitals stand out: a text all in capitals emphasises nothing."""
    word = written[index]
    if length > 1 or len(word) == 1 or not word.isupper():
        return valence
    if all(token.isupper() for token in written if token.isalpha()):
        return valence
    return valence + _toward(valence, C_INCR)


def _in_context(valence: float, tokens: list[str], index: int, lexicon: Lexicon, length: int) -> float:
    """A valence after the negations and degree words before it; complaints of several words hold their own."""
    is_negated = False
    share = 1.0
    for before in range(index - 1, max(index - 1 - REACH, -1), -1):
        token = tokens[before]
        if token in lexicon.emphasis:
            valence += _toward(valence, lexicon.emphasis[token] * share)
        elif token in lexicon.negations and not _is_affirming(tokens, before, index):
            is_negated = True
        elif token[0] in _ENDS_OF_CLAUSE:
            break
        share -= FADE
    if is_negated and (valence > 0 or length == 1):
        return valence * (N_SCALAR if valence > 0 else NEGATED_COMPLAINT)
    return valence


def _is_affirming(tokens: list[str], negation: int, index: int) -> bool:
    """Whether a negation denies nothing: "nothing but praise", "couldn't be happier"."""
    pair = (tokens[negation], tokens[negation + 1])
    if pair in _NO_NEGATIONS:
        return True
    is_more = tokens[index].endswith("er") or tokens[index - 1] == "more"
    is_possible = pair[0] != "not" or tokens[max(negation - 1, 0)] in _ABLE
    return is_more and (pair[0] == "never" or (is_possible and pair[0] in _UNABLE and pair[1] in ("be", "have")))


def _toward(valence: float, added: float) -> float:
    return added if valence > 0 else -added
