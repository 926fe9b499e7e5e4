"""What words mean: VADER's ratings, overlaid with the support lexicon of this package."""

from dataclasses import dataclass
from enum import Enum
from functools import cache

from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

from services.analyzer.offline.phrases import PhraseBook, read_word_list

Tokens = tuple[str, ...]


class Kind(Enum):
    """What an entry tells."""

    FEELING = "feeling"
    NAGGING = "nagging"
    """A weak sign that something is being put up with: "still", "again", "for hours"."""
    ASKING = "asking"
    """A question that wants to know something, and does not complain."""


Sign = tuple[float, Kind]
"""(valence on VADER's scale of -4 to 4, kind)"""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that the sentiment rules look up."""

    everywhere: PhraseBook[Sign]
    in_service: PhraseBook[Sign]
    """For a text that is about a company's service: "hold", "again" and "why" tell something there."""
    emphasis: dict[str, float]
    """Degree words ("very", "slightly") and what they add to the valence that follows."""
    negations: frozenset[str]


_ALMOST_NEGATIONS = ("hardly", "barely", "scarcely")
"""To VADER they only dampen; "hardly helpful" is a complaint."""


@cache
def lexicon() -> Lexicon:
    """The lexicon of this release, read once a process (about 50 ms)."""
    general: dict[Tokens, Sign] = dict(_ratings_of_vader())
    service: dict[Tokens, Sign] = {}
    for section, valence, tokens in read_word_list("support_lexicon.txt"):
        target = general if section == "words" else service
        target[tokens] = (valence, Kind(section) if section in _KINDS else Kind.FEELING)
    return Lexicon(
        everywhere=PhraseBook(general.items()),
        in_service=PhraseBook((general | service).items()),
        emphasis={str(word): float(added) for word, added in BOOSTER_DICT.items() if word not in _ALMOST_NEGATIONS},
        negations=frozenset(word.replace("n't", "nt") for word in (*NEGATE, "no", *_ALMOST_NEGATIONS)),
    )


_KINDS = frozenset(kind.value for kind in Kind)


def _ratings_of_vader() -> list[tuple[Tokens, Sign]]:
    library = SentimentIntensityAnalyzer()
    ratings: list[tuple[Tokens, Sign]] = [
        ((word,), (float(valence), Kind.FEELING)) for word, valence in library.lexicon.items()
    ]
    ratings += [(tuple(idiom.split()), (float(valence), Kind.FEELING)) for idiom, valence in SPECIAL_CASES.items()]
    for emoji, description in library.emojis.items():
        # VADER reads an emoji as its description; a sequence of several code points is read by its first here.
        valence = sum(float(library.lexicon.get(word, 0.0)) for word in description.split())
        if len(emoji) == 1 and valence:
            ratings.append(((emoji,), (valence, Kind.FEELING)))
    return ratings
