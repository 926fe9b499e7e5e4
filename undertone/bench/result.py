"""The result of a run: what is written as JSON, and what makes a run a failure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.runtime.counting import counted
from undertone.bench.histogram import Histogram
from undertone.bench.ledger import Audit, Ledger
from undertone.bench.recorder import Recorder

ALLOWED_ANSWERS = frozenset({"202", "429", "503"})
"""What an overloaded ingress may say to a good request."""
_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


@dataclass(frozen=True)
class ServerCost:
    """What the server's processes used, when they are ours."""

    cpu_seconds: float
    cpu_us_per_request: float
    memory_before_mib: float
    memory_after_mib: float


@dataclass(frozen=True)
class Result:
    """Everything that is known after a run."""

    asked: dict[str, Any]
    """What was asked for: URL, shape, connections, rate, and so on."""
    seconds: float
    recorder: Recorder
    ledger: Ledger
    audit: Audit | None = None
    server: ServerCost | None = None
    failed_to_open: int = 0

    @property
    def answered(self) -> int:
        return sum(count for what, count in self.recorder.answers.items() if what.isdigit())

    @property
    def accepted_per_second(self) -> float:
        """Conversations."""
        return len(self.ledger.accepted) / self.seconds if self.seconds else 0.0

    def complaints(self) -> list[str]:
        """What must not be, one sentence each."""
        strange = {what: count for what, count in self.recorder.answers.items() if what not in ALLOWED_ANSWERS}
        found = [
            f"{counted(count, 'request')} answered with neither 202, 429 nor 503: {what}."
            if what.isdigit()
            else f"{counted(count, 'request')} without an answer: {what}."
            for what, count in strange.items()
        ]
        if self.ledger.contradictions:
            found.append(
                f"{counted(self.ledger.contradictions, 'answer')} in contradiction to their request or each other."
            )
        return found + (_audit_complaints(self.audit) if self.audit else [])

    def as_json(self) -> dict[str, Any]:
        """Times are milliseconds unless a name says otherwise."""
        recorder = self.recorder
        return {
            "asked": self.asked,
            "seconds": round(self.seconds, 3),
            "requests": {
                "sent": recorder.sent,
                "never_sent": recorder.never_sent,
                "failed_to_connect": self.failed_to_open,
                "answers": dict(sorted(recorder.answers.items())),
                "per_second": round(self.answered / self.seconds, 1) if self.seconds else 0.0,
            },
            "conversations": {
                "accepted": len(self.ledger.accepted),
                "unknown": len(self.ledger.unknown),
                "refused": len(self.ledger.refused),
                "contradictions": self.ledger.contradictions,
                "accepted_per_second": round(self.accepted_per_second, 1),
            },
            "in_kafka": asdict(self.audit) if self.audit else None,
            "latency_ms": {
                "accepted": _summary(recorder.accepted_latency),
                "all": _summary(recorder.latency),
                "from_real_sending": _summary(recorder.service_time),
            },
            "histogram_ms": [list(pair) for pair in recorder.accepted_latency.filled()],
            "server": asdict(self.server) if self.server else None,
            "over_time": [asdict(one) for one in recorder.slices],
            "complaints": self.complaints(),
        }


def _summary(histogram: Histogram) -> dict[str, float]:
    percentiles = {f"p{percent:g}": round(histogram.percentile_ms(percent), 3) for percent in _PERCENTILES}
    return {
        "count": histogram.count,
        "mean": round(histogram.mean_ms, 3),
        **percentiles,
        "max": round(histogram.largest_ms, 3),
    }


def _audit_complaints(audit: Audit) -> list[str]:
    found: Sequence[tuple[int, str]] = (
        (audit.missing, "were answered 202 and are not in Kafka"),
        (audit.stored_twice, "were answered 202 and are in Kafka more than once"),
        (audit.refused_but_stored, "were refused and are in Kafka nevertheless"),
    )
    examples = ", ".join(audit.examples)
    return [f"{counted(count, 'conversation')} {what}, such as {examples}." for count, what in found if count]
