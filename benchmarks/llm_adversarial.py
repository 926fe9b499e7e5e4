"""Hostile completions against the LLM engine: how many results are stored that no conversation proves.

Each completion starts as an honest one for a batch of sample and hostile conversations, and is then swapped, faked,
bent and broken, some of them several times. What the engine believes is checked here by other means than its own: the
evidence must stand letter by letter in a turn of its conversation and, case and spaces aside, in no other of the
call, and the insight made of it must satisfy the contract.

    python -m benchmarks.llm_adversarial [--completions 100000] [--seed 0]
"""

import argparse
import json
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from benchmarks.hostile_completions import HOSTILE_TEXTS, Liar
from benchmarks.measure import Report, run
from schemas.conversation_received import Turn, content_hash_of
from schemas.event import Lane, Revision
from schemas.insight_produced import InsightProduced, insight_id_of
from schemas.subjects import subject_registry
from services.analyzer.engine import AnswerTruncated, AnswerUnusable, EngineUnavailable, Finding, Refusal, Task
from services.analyzer.llm.engine import LlmEngine
from services.analyzer.llm.options import LlmOptions

SAMPLE = Path(__file__).parent.parent / "undertone" / "sample" / "sample_conversations.jsonl"
LARGEST_BATCH = 8


def batch_of(sample: Sequence[tuple[Turn, ...]], chance: random.Random) -> list[Task]:
    """Different conversations, as the analyzer batches them: sample ones, and hostile ones that share words."""
    chosen: dict[str, Task] = {}
    for _ in range(chance.randint(1, LARGEST_BATCH)):
        turns = list(chance.choice(sample)[: chance.randint(1, 4)]) if chance.random() < 0.6 else []
        if not turns or chance.random() < 0.3:
            turns.append(Turn(text=chance.choice(HOSTILE_TEXTS)))
        digest = content_hash_of(turns)
        chosen[digest] = Task(f"conv_{digest[:12]}", digest, tuple(turns))
    return list(chosen.values())


def unproven(task: Task, finding: Finding, sent: Sequence[Task]) -> str | None:
    """What is wrong with a believed result, by a naive look; None when nothing is."""
    if not any(finding.evidence in turn.text for turn in task.turns):
        return "its evidence is not in its conversation"
    words = _plain(finding.evidence)
    own = [_plain(turn.text) for turn in task.turns]
    for other in sent:
        theirs = [_plain(turn.text) for turn in other.turns]
        if other is not task and theirs != own and any(words in text for text in theirs):
            return "its evidence is in another conversation"
    try:
        insight_of(task, finding)
    except ValidationError as error:
        return f"out of contract: {error.errors()[0]['loc']}"
    return None


def is_deferred(result: Finding | Refusal) -> bool:
    """Whether the conversation was left out of the call."""
    return isinstance(result, Refusal) and result.reason == "indistinguishable"


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def insight_of(task: Task, finding: Finding) -> InsightProduced:
    """The event that would be stored."""
    now = datetime.now(UTC)
    return InsightProduced(
        conversation_id=task.conversation_id,
        content_hash=task.content_hash,
        revision=Revision(0, 0),
        analysis_version="liar-p1",
        lane=Lane.LIVE,
        occurred_at=now,
        insight_id=insight_id_of(task.conversation_id, task.content_hash, "liar-p1"),
        sentiment_score=finding.sentiment_score,
        sentiment=cast("Any", "neutral"),
        clusters=finding.clusters,
        topics=subject_registry().topics_of(finding.clusters),
        confidence=finding.confidence,
        reasoning=finding.reasoning,
        evidence=finding.evidence,
        summary=finding.summary,
        path=finding.path,
        model=finding.model,
        batch_id=uuid.UUID(int=0),
        completion=finding.completion,
        started_at=now,
        analyzed_at=now,
    )


async def main(report: Report, options: argparse.Namespace) -> None:
    chance = random.Random(options.seed)
    sample = [
        tuple(Turn(role=turn["role"], text=turn["text"]) for turn in json.loads(line)["turns"])
        for line in SAMPLE.read_text(encoding="utf-8").splitlines()
    ]
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    cpu_seconds = 0.0
    for _ in range(options.completions):
        batch = batch_of(sample, chance)
        engine = LlmEngine(Liar(batch, chance), LlmOptions(model="liar"))
        began = time.process_time()
        try:
            answer = await engine.analyze(batch)
        except (AnswerUnusable, AnswerTruncated, EngineUnavailable) as error:
            counts[type(error).__name__] += 1
            continue
        finally:
            cpu_seconds += time.process_time() - began
        sent = [task for task, result in zip(batch, answer.results, strict=True) if not is_deferred(result)]
        for task, result in zip(batch, answer.results, strict=True):
            if isinstance(result, Refusal):
                counts[f"refused: {result.reason}"] += 1
                continue
            counts["believed"] += 1
            if (problem := unproven(task, result, sent)) is not None:
                wrong[problem] += 1
    for name, count in counts.most_common():
        report.note(f"{count:>9,} {name}")
    report.note(f"{cpu_seconds / options.completions * 1e6:,.0f} us CPU a completion, the liar's own work included")
    report.at_least("results believed, so that the check means something", counts["believed"], options.completions / 10)
    report.at_most("believed without proof or out of contract", wrong.total(), 0)
    for problem, count in wrong.items():
        report.note(f"{count:>9,} {problem}")


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # results that are refused would fill the screen
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--completions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    run(main, parser.parse_args())
