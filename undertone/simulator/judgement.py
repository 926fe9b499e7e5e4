"""Plausible results without a model: a few hundred words of feeling, the registry of subjects, and a quotation.

Deterministic: the same conversations give the same results, whatever their ids in the call.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.subjects import subject_registry

_CONVERSATION = re.compile(r"\[\[(\w+)\n(.*?)\n\1\]\]", re.DOTALL)
_WORD = re.compile(r"[\w']+")
_GOOD_WORDS = (
    "amazing appreciate awesome best brilliant cool easy excellent fantastic fast fixed glad good great happy helpful "
    "impressed kind love loved lovely nice perfect pleased quick quickly resolved satisfied solved superb thank thanks "
    "thrilled wonderful working works"
)
_BAD_WORDS = (
    "angry annoyed annoying awful bad broken cancel cancelled charged complaint crash crashed damaged delay delayed "
    "disappointed disappointing disgusting error fail failed failing fault frustrated frustrating furious hate "
    "horrible ignored incorrect issue joke late lost missing mistake never not overcharged poor problem ridiculous "
    "rude scam slow stolen stuck terrible unable unacceptable unhappy upset useless wait waiting waste worse worst "
    "wrong"
)
_GOOD, _BAD = frozenset(_GOOD_WORDS.split()), frozenset(_BAD_WORDS.split())
_QUOTED_WORDS = (8, 12, 5, 3)


@dataclass(frozen=True, slots=True)
class Fenced:
    """A conversation of a prompt."""

    id: str
    body: str


def conversations_of(prompt: str) -> list[Fenced]:
    """The conversations that a prompt holds between its fences."""
    return [Fenced(match[1], match[2]) for match in _CONVERSATION.finditer(prompt)]


def judge(conversations: Sequence[Fenced]) -> list[dict[str, Any]]:
    """One result for each."""
    lowered = [conversation.body.lower() for conversation in conversations]
    return [
        _result(conversation, [text for index, text in enumerate(lowered) if index != position])
        for position, conversation in enumerate(conversations)
    ]


def _result(conversation: Fenced, others: Sequence[str]) -> dict[str, Any]:
    turns = [line.partition(": ") for line in conversation.body.split("\n")]
    said = [text for role, _, text in turns if role == "customer"] or [text for _, _, text in turns]
    score, hits = _feeling(said)
    clusters = _subjects(conversation.body)
    evidence = _quotation(said, others)
    mood = "unhappy" if score < -0.2 else "pleased" if score > 0.2 else "matter-of-fact"
    return {
        "id": conversation.id,
        "sentiment_score": score,
        "clusters": clusters,
        "confidence": round(min(0.95, 0.35 + 0.12 * hits), 2),
        "reasoning": f"The customer sounds {mood}: {hits} words of feeling, and '{evidence}'.",
        "evidence": evidence,
        "summary": f"A {mood} customer about {', '.join(clusters).replace('_', ' ')}.",
    }


def _feeling(said: Sequence[str]) -> tuple[float, int]:
    """(score, words of feeling): later turns count more."""
    good = bad = 0.0
    hits = 0
    for place, text in enumerate(said, start=1):
        words = _WORD.findall(text.lower())
        weight = 0.5 + place / len(said)
        glad, sad = sum(word in _GOOD for word in words), sum(word in _BAD for word in words)
        good, bad, hits = good + weight * glad, bad + weight * sad, hits + glad + sad
    return round((good - bad) / (good + bad + 1.0), 2), hits


def _subjects(body: str) -> list[str]:
    registry = subject_registry()
    named = Counter(slug for word in _WORD.findall(body.lower()) if (slug := registry.subject_of(word)))
    return [slug for slug, _ in named.most_common(3)] or ["general_inquiry"]


def _quotation(said: Sequence[str], others: Sequence[str]) -> str:
    """3 to 12 words in a row that no other conversation contains, the most telling turn first."""
    strongest_first = sorted(said, key=lambda text: -sum(w in _GOOD | _BAD for w in _WORD.findall(text.lower())))
    for length in _QUOTED_WORDS:
        for text in strongest_first:
            words = text.split()
            for start in range(max(1, len(words) - length + 1)):
                quoted = " ".join(words[start : start + length])
                if quoted and not any(quoted.lower() in other for other in others):
                    return quoted
    return " ".join(strongest_first[0].split()[:12]) if strongest_first else ""
