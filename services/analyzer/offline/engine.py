"""The offline engine behind the protocol of engines."""

import asyncio
from collections.abc import Sequence

from schemas.insight_produced import Path
from services.analyzer.engine import Answer, Finding, Task
from services.analyzer.offline.conversation import judge
from services.analyzer.offline.language import function_words
from services.analyzer.offline.lexicon import lexicon
from services.analyzer.offline.quotation import quote
from services.analyzer.offline.subjects import subject_book
from services.analyzer.offline.wording import reasoning_of, summary_of

OFFLINE_VERSION = "offline-2"
"""Raised with every change of rules or word lists that can change a finding."""
CHARACTERS_BETWEEN_YIELDS = 20_000
"""About 5 ms of work: no longer does the event loop wait for this engine between two small conversations."""


class OfflineEngine:
    """Judges by word lists and rules: deterministic, free, about 0.2 ms for a conversation of five turns."""

    name = "offline"
    analysis_version = OFFLINE_VERSION
    is_paced = False

    def __init__(self) -> None:
        # The word lists are read here: not at import, and not in the first batch.
        lexicon()
        subject_book()
        function_words()

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        """A finding for every task; it never refuses and never fails as a whole."""
        findings = []
        characters = 0
        for task in batch:
            findings.append(find(task))
            characters += sum(len(turn.text) for turn in task.turns)
            if characters >= CHARACTERS_BETWEEN_YIELDS:
                characters = 0
                await asyncio.sleep(0)
        return Answer(results=tuple(findings))


def find(task: Task) -> Finding:
    """The finding for one conversation. It depends on nothing but role and text of the turns.

    The language that the sender declares is not read: conversations of equal content have equal findings.
    """
    judgement = judge(task.turns)
    evidence = quote(judgement.weightiest)
    return Finding(
        sentiment_score=judgement.sentiment_score,
        clusters=judgement.clusters,
        confidence=judgement.confidence,
        reasoning=reasoning_of(judgement, evidence),
        evidence=evidence,
        summary=summary_of(judgement),
        path=Path.OFFLINE,
        model=OFFLINE_VERSION,
    )
