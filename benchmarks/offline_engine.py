"""How good and how fast the offline engine is, beside plain VADER in the same run.

    python benchmarks/offline_engine.py --sentiment FILE --topics FILE [--conversations FILE]

--sentiment: JSON lines {"text", "label": negative|neutral|positive}; --topics: JSON lines {"topic", "messages":
[{"role", "text"}]}, whose topics are another taxonomy and therefore measured as clusters; --conversations: JSON
lines {"turns": [{"role", "text"}]} for the time a conversation of five turns takes.
"""

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from schemas.conversation_received import Turn
from schemas.insight_produced import sentiment_of
from services.analyzer.engine import Finding, Task
from services.analyzer.offline.engine import find
from services.analyzer.prefilter import Prefilter

LABELS = ("negative", "neutral", "positive")
SAMPLE = Path(__file__).parent.parent / "undertone" / "sample" / "sample_conversations.jsonl"
CONFIDENCE_BINS = 10
RUNS = 15


def main() -> None:
    options = _options()
    if options.sentiment:
        _measure_sentiment(_rows(options.sentiment))
    if options.topics:
        _measure_topics(_rows(options.topics))
    if options.conversations.exists():
        _measure_conversations(_rows(options.conversations))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Quality and speed of the offline engine, beside plain VADER.")
    parser.add_argument("--sentiment", type=Path, help="JSON lines with text and label")
    parser.add_argument("--topics", type=Path, help="JSON lines with topic and messages")
    parser.add_argument("--conversations", type=Path, default=SAMPLE, help="JSON lines with turns")
    return parser.parse_args()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _task(turns: Iterable[dict[str, str]]) -> Task:
    return Task("benchmark", "", tuple(Turn(role=turn["role"], text=turn["text"]) for turn in turns))


def _timed(work: Callable[[], object], units: int) -> float:
    """CPU microseconds a unit, the best of some runs: the least disturbed one."""
    best = math.inf
    for _ in range(RUNS):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best / units * 1e6


def _measure_sentiment(rows: list[dict[str, Any]]) -> None:
    tasks = [_task([{"role": "customer", "text": row["text"]}]) for row in rows]
    labels = [row["label"] for row in rows]
    findings = [find(task) for task in tasks]
    skipped = [Prefilter().decide(task.turns) is not None for task in tasks]
    scores = [0.0 if skip else found.sentiment_score for found, skip in zip(findings, skipped, strict=True)]
    vader = SentimentIntensityAnalyzer()
    compounds = [vader.polarity_scores(row["text"])["compound"] for row in rows]
    ours_us = _timed(lambda: [find(task) for task in tasks], len(rows))
    vader_us = _timed(lambda: [vader.polarity_scores(row["text"]) for row in rows], len(rows))
    print(f"sentiment of {len(rows)} texts        offline engine   plain VADER   ratio")
    for name, measure in (("accuracy", accuracy), ("macro-F1", macro_f1)):
        ours, reference = measure(labels, classes(scores)), measure(labels, classes(compounds))
        print(f"  {name:28}{ours:14.3f}{reference:14.3f}{ours / reference:8.2f}")
    print(f"  {'CPU us a text':28}{ours_us:14.1f}{vader_us:14.1f}{ours_us / vader_us:8.2f}")
    for label in LABELS:
        print(f"  F1 of {label:22}{f1(label, labels, classes(scores)):14.3f}")
    _print_confidence(labels, findings)
    lost = [label for label, skip in zip(labels, skipped, strict=True) if skip]
    print(f"  skipped by the prefilter    {len(lost):14d}, of them negative: {lost.count('negative')}")


def _print_confidence(labels: Sequence[str], findings: Sequence[Finding]) -> None:
    confidences = [found.confidence for found in findings]
    predicted = classes([found.sentiment_score for found in findings])
    right = [label == guess for label, guess in zip(labels, predicted, strict=True)]
    print(f"  {'expected calibration error':28}{calibration_error(confidences, right):14.3f}")
    ranked = sorted(zip(confidences, right, strict=True), key=lambda pair: -pair[0])[: len(right) // 2]
    print(f"  {'right in confident half':28}{sum(is_right for _, is_right in ranked) / len(ranked):14.3f}")


def _measure_topics(rows: list[dict[str, Any]]) -> None:
    findings = [find(_task(row["messages"])) for row in rows]
    expected, named = [row["topic"] for row in rows], [found.clusters[0] for found in findings]
    print(f"subjects of {len(rows)} conversations")
    print(f"  NMI {normalized_mutual_information(expected, named):.3f}   purity {purity(expected, named):.3f}", end="")
    print(f"   subjects {len(set(named))}   other {named.count('other') / len(named):.2f}")


def _measure_conversations(rows: list[dict[str, Any]]) -> None:
    tasks = [_task(row["turns"][:5]) for row in rows if len(row["turns"]) >= 5]
    print(f"conversations of 5 turns ({len(tasks)})")
    print(f"  CPU us a conversation {_timed(lambda: [find(task) for task in tasks], len(tasks)):.1f}")
    prefilter = Prefilter()
    filtering = _timed(lambda: [prefilter.decide(task.turns) for task in tasks], len(tasks))
    print(f"  CPU us a decision of the prefilter {filtering:.1f}")


def classes(scores: Iterable[float]) -> list[str]:
    return [sentiment_of(score).value for score in scores]


def accuracy(expected: Sequence[str], named: Sequence[str]) -> float:
    return sum(map(str.__eq__, expected, named)) / len(expected)


def f1(label: str, expected: Sequence[str], named: Sequence[str]) -> float:
    both = sum(a == b == label for a, b in zip(expected, named, strict=True))
    return 2 * both / max(list(expected).count(label) + list(named).count(label), 1)


def macro_f1(expected: Sequence[str], named: Sequence[str]) -> float:
    return sum(f1(label, expected, named) for label in LABELS) / len(LABELS)


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = defaultdict(list)
    for confidence, is_right in zip(confidences, right, strict=True):
        bins[min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)].append((confidence, is_right))
    return sum(abs(sum(c - r for c, r in pairs)) for pairs in bins.values()) / len(right)


def normalized_mutual_information(expected: Sequence[str], named: Sequence[str]) -> float:
    """Mutual information over the mean of the two entropies."""
    total = len(expected)
    left, right, both = Counter(expected), Counter(named), Counter(zip(expected, named, strict=True))
    mutual = sum(n / total * math.log(n * total / (left[a] * right[b])) for (a, b), n in both.items())
    return 2 * mutual / max(_entropy(left) + _entropy(right), 1e-12)


def _entropy(counts: Counter[str]) -> float:
    total = counts.total()
    return -sum(n / total * math.log(n / total) for n in counts.values())


def purity(expected: Sequence[str], named: Sequence[str]) -> float:
    members: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, cluster in zip(expected, named, strict=True):
        members[cluster][label] += 1
    return sum(max(counts.values()) for counts in members.values()) / len(expected)


if __name__ == "__main__":
    main()
