"""From turns to one judgement: how much each turn weighs, and what comes out.

The customer's turns count. A later turn weighs more than an earlier one (how it ended is how the customer left),
a turn with a feeling more than one that states a number, and a bare "thanks" less than a sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.conversation_received import Role, Turn
from schemas.subjects import OTHER
from services.analyzer.offline import language
from services.analyzer.offline.confidence import UNHEARD, UNREADABLE, confidence_of
from services.analyzer.offline.lexicon import lexicon
from services.analyzer.offline.sentiment import NOTHING_READ, Reading, normalised, read, valence_of
from services.analyzer.offline.spelling import has_stretched_words, with_plain_spelling
from services.analyzer.offline.subjects import ENOUGH_FOR_SERVICE, Tally
from services.analyzer.offline.tokens import as_read, tokens_of
from services.analyzer.offline.turns import (
    agents_of,
    bounded,
    can_be_customers,
    can_be_quoted,
    text_of,
    those_who_count,
)

SCALE = 0.56
"""People rate closer to 0 than VADER's compound score; with 0.56 the contract's threshold of 0.2 is reached at a
valence of 1.5, which is one clear word."""

FIRST_TURN, LATER_TURN, AGENT_TURN = 3.0, 1.0, 0.3
"""What a turn's words count for the subject: people state their concern first."""
AGENT_CHARACTERS = 400
"""Of an agent's turn only its opening is read: what follows are lists, terms and instructions."""

END = 2.0
"""How much more the last turn weighs than the first; between them the weight grows evenly."""
FLAT = 0.1
"""What a turn without any feeling weighs, beside 1 for the strongest."""
FULL_LENGTH = 12
SHORTEST = 0.25
"""A turn of fewer tokens weighs less, down to this share."""
COURTEOUS, COURTESY = 2.2, 0.4
"""A short turn with no more praise than that weighs only this share: "Thank you" closes most chats, bad ones too."""
ADDRESSED = 1.0
"""A text that opens with @name is half-way to being about a service."""

_DESK = re.compile(r"@\w{0,30}(?:support|help|care|service|assist)", re.IGNORECASE)
"""A company's own desk is addressed."""


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn that counts, as read."""

    turn: Turn
    tokens: list[str]
    reading: Reading
    score: float
    """This turn alone, in [-1, 1]."""
    weight: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of one conversation; `wording` puts it into sentences."""

    sentiment_score: float
    clusters: tuple[str, ...]
    confidence: float
    is_language_known: bool
    heard: tuple[HeardTurn, ...]
    """The turns that count, in order; never empty."""
    weightiest: HeardTurn
    """The turn that speaks most for the score, among those that can be quoted."""

    @property
    def is_customer_heard(self) -> bool:
        """Without a turn of a customer, or of someone who may be one, nobody's feeling is told: neutral."""
        return can_be_customers(self.heard[0].turn)


def judge(turns: Sequence[Turn]) -> Judgement:
    """Judge a conversation of at least one turn. Pure; the time it takes is linear in the text, and bounded."""
    chosen = bounded(those_who_count(turns))
    texts = [text_of(turn) for turn in chosen]
    written = [tokens_of(text) for text in texts]
    tokens = [as_read(words) for words in written]
    text = " ".join(texts)
    if has_stretched_words(text):
        tokens = [with_plain_spelling(words) for words in tokens]
    if not language.is_known(text, [token for words in tokens for token in words]):
        return _unreadable(chosen, tokens)
    agents = [] if chosen[0].role is Role.AGENT else bounded(agents_of(turns))
    tally = _tally(tokens, agents)
    is_service = bool(agents) or _is_about_a_service(texts[0], tally)
    heard = tuple(
        _hear(turn, text, words, read_words, place=index / max(len(chosen) - 1, 1), is_service=is_service)
        for index, (turn, text, words, read_words) in enumerate(zip(chosen, texts, written, tokens, strict=True))
    )
    is_customer_heard = can_be_customers(chosen[0])
    score = round(sum(turn.score * turn.weight for turn in heard) / sum(turn.weight for turn in heard), 4)
    score = score if is_customer_heard else 0.0
    is_found = any(turn.reading.has_feeling for turn in heard)
    return Judgement(
        sentiment_score=score,
        clusters=tally.clusters(),
        confidence=confidence_of(score, is_found=is_found) if is_customer_heard else UNHEARD,
        is_language_known=True,
        heard=heard,
        weightiest=_weightiest(heard, score),
    )


def _unreadable(chosen: list[Turn], tokens: list[list[str]]) -> Judgement:
    heard = tuple(HeardTurn(turn, words, NOTHING_READ, 0.0, 1.0) for turn, words in zip(chosen, tokens, strict=True))
    return Judgement(
        0.0, (OTHER,), UNREADABLE, is_language_known=False, heard=heard, weightiest=_weightiest(heard, 0.0)
    )


def _tally(tokens: list[list[str]], agents: list[Turn]) -> Tally:
    tally = Tally()
    for index, words in enumerate(tokens):
        tally.count(words, LATER_TURN if index else FIRST_TURN)
    for turn in agents:
        tally.count(as_read(tokens_of(text_of(turn)[:AGENT_CHARACTERS])), AGENT_TURN)
    return tally


def _is_about_a_service(opening: str, tally: Tally) -> bool:
    if "@" not in opening:
        return tally.service >= ENOUGH_FOR_SERVICE
    if _DESK.search(opening):
        return True
    if opening.lstrip('."\u201c ').startswith("@"):
        return tally.service_if_addressed + ADDRESSED >= ENOUGH_FOR_SERVICE
    return tally.service >= ENOUGH_FOR_SERVICE


def _hear(turn: Turn, text: str, written: list[str], tokens: list[str], *, place: float, is_service: bool) -> HeardTurn:
    reading = read(written, tokens, lexicon(), is_service=is_service)
    score = SCALE * normalised(valence_of(reading, text, tokens, is_service=is_service))
    late = 1.0 + (END - 1.0) * place
    long = SHORTEST + (1.0 - SHORTEST) * min(len(tokens) / FULL_LENGTH, 1.0)
    if reading.praise <= COURTEOUS and not reading.complaint and len(tokens) < FULL_LENGTH:
        long *= COURTESY
    return HeardTurn(turn, tokens, reading, score, late * long * (FLAT + (1.0 - FLAT) * abs(score) / SCALE))


def _weightiest(heard: tuple[HeardTurn, ...], score: float) -> HeardTurn:
    quotable = [turn for turn in heard if can_be_quoted(turn.turn)] or heard
    side = 1.0 if score > 0 else -1.0
    return max(quotable, key=lambda turn: side * turn.score * turn.weight)
