"""What a conversation is about: the subjects whose words its turns use."""

from collections import defaultdict
from functools import cache

from schemas.insight_produced import MAX_CLUSTERS
from schemas.subjects import OTHER, subject_registry
from services.analyzer.offline.phrases import PhraseBook, read_word_list

Hints = tuple[tuple[str, float], ...]
"""(slug, how strongly an entry points to that subject: the square of its weight of 1 to 3)"""
Meaning = tuple[Hints, float, float]
"""(hints, how strongly the entry says that a service is meant, the same when nobody is addressed)"""

ENOUGH = 12.0
"""Below this a subject is a guess: a word of weight 2 in the first turn gives 12."""
SHARE_OF_FIRST = 0.34
"""A further subject is named when it reaches this share of the first one's points."""
ENOUGH_FOR_SERVICE = 2.0

_A_COMPANY = "a_company"
_ALSO_PRIVATE = "also_private"
"""Two sections of the word list that name no subject: what does, and what does not, say that a company is meant."""
_PRIVATE_SUBJECTS = frozenset({"comfort_and_catering", "entertainment_and_wifi", "products"})
"""Subjects that people write about without writing to a company: meals, films, clothes."""


@cache
def subject_book() -> PhraseBook[Meaning]:
    """What each entry tells.

    Raises ValueError when the word list has a subject that the registry does not know.
    """
    weights: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for slug, weight, tokens in read_word_list("subject_words.txt"):
        if slug not in (_A_COMPANY, _ALSO_PRIVATE) and slug not in subject_registry().by_name:
            raise ValueError(f"subject_words.txt: {slug!r} is not in the registry of subjects")
        weights.setdefault(tokens, []).append((slug, weight))
    return PhraseBook((tokens, _meaning(hints)) for tokens, hints in weights.items())


def _meaning(weights: list[tuple[str, float]]) -> Meaning:
    sections = {section for section, _ in weights}
    hints = tuple((slug, weight * weight) for slug, weight in weights if slug not in (_A_COMPANY, _ALSO_PRIVATE))
    leaning = max((weight for slug, weight in weights if slug not in _PRIVATE_SUBJECTS), default=0.0)
    return hints, leaning, 0.0 if _ALSO_PRIVATE in sections else leaning


class Tally:
    """The points of each subject over the turns of one conversation."""

    __slots__ = ("_book", "_points", "service", "service_if_addressed")

    def __init__(self) -> None:
        self._book = subject_book()
        self._points: defaultdict[str, float] = defaultdict(float)
        self.service = 0.0
        """How strongly the turns counted say that a company's service is meant."""
        self.service_if_addressed = 0.0
        """The same with the words that people use among friends just as much."""

    def count(self, tokens: list[str], weight: float) -> None:
        """Add a turn's points, times its weight; an entry counts once a turn."""
        seen: set[int] = set()
        for _, _, meaning in self._book.find(tokens):
            if id(meaning) in seen:
                continue
            seen.add(id(meaning))
            hints, service_if_addressed, service = meaning
            self.service += service
            self.service_if_addressed += service_if_addressed
            for slug, points in hints:
                self._points[slug] += weight * points

    def clusters(self) -> tuple[str, ...]:
        """The subjects with enough points, most first, at most five; `other` when there is none."""
        ranked = sorted(self._points.items(), key=lambda entry: (-entry[1], entry[0]))
        if not ranked or ranked[0][1] < ENOUGH:
            return (OTHER,)
        enough = max(ENOUGH, ranked[0][1] * SHARE_OF_FIRST)
        return tuple(slug for slug, points in ranked[:MAX_CLUSTERS] if points >= enough)
