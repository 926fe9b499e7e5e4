"""What a conversation is about: the subjects whose words its turns use."""

from collections import defaultdict
from functools import cache

from schemas.insight_produced import MAX_CLUSTERS
from schemas.subjects import OTHER, subject_registry
from services.analyzer.offline.phrases import PhraseBook, read_word_list

Hints = tuple[tuple[str, float], ...]
"""(slug, how strongly an entry points to that subject: the square of its weight of 1 to 3)"""

ENOUGH = 12.0
"""Below this a subject is a guess: a word of weight 2 in the first turn gives 12."""
SHARE_OF_FIRST = 0.34
"""A further subject is named when it reaches this share of the first one's points."""
ENOUGH_FOR_SERVICE = 2.0

_A_COMPANY = "a_company"
_ALSO_PRIVATE = frozenset({"comfort_and_catering", "entertainment_and_wifi", "products"})
"""Subjects that people write about without writing to a company: meals, films, clothes."""


@cache
def subject_book() -> PhraseBook[tuple[Hints, float]]:
    """Each entry's hints, and how strongly it says that a company's service is meant.

    Raises ValueError when the word list has a subject that the registry does not know.
    """
    weights: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for slug, weight, tokens in read_word_list("subject_words.txt"):
        if slug != _A_COMPANY and slug not in subject_registry().by_name:
            raise ValueError(f"subject_words.txt: {slug!r} is not in the registry of subjects")
        weights.setdefault(tokens, []).append((slug, weight))
    return PhraseBook((tokens, _meaning(hints)) for tokens, hints in weights.items())


def _meaning(weights: list[tuple[str, float]]) -> tuple[Hints, float]:
    hints = tuple((slug, weight * weight) for slug, weight in weights if slug != _A_COMPANY)
    return hints, max((weight for slug, weight in weights if slug not in _ALSO_PRIVATE), default=0.0)


class Tally:
    """The points of each subject over the turns of one conversation."""

    __slots__ = ("_book", "_points", "service")

    def __init__(self) -> None:
        self._book = subject_book()
        self._points: defaultdict[str, float] = defaultdict(float)
        self.service = 0.0
        """How strongly the turns counted say that a company's service is meant."""

    def count(self, tokens: list[str], weight: float) -> None:
        """Add a turn's points, times its weight; an entry counts once a turn."""
        seen: set[int] = set()
        for _, _, meaning in self._book.find(tokens):
            if id(meaning) in seen:
                continue
            seen.add(id(meaning))
            hints, service = meaning
            self.service += service
            for slug, points in hints:
                self._points[slug] += weight * points

    def clusters(self) -> tuple[str, ...]:
        """The subjects with enough points, most first, at most five; `other` when there is none."""
        ranked = sorted(self._points.items(), key=lambda entry: (-entry[1], entry[0]))
        if not ranked or ranked[0][1] < ENOUGH:
            return (OTHER,)
        enough = max(ENOUGH, ranked[0][1] * SHARE_OF_FIRST)
        return tuple(slug for slug, points in ranked[:MAX_CLUSTERS] if points >= enough)
