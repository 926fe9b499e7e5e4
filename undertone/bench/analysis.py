"""What the analyzer did between two looks at its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Counters:
    """The analyzer's counters at one moment, by sample name and labels."""

    values: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]

    @classmethod
    def parse(cls, exposition: str) -> "Counters":
        """Read what `/metrics` answers."""
        samples = (sample for family in text_string_to_metric_families(exposition) for sample in family.samples)
        return cls({(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples})

    def since(self, before: "Counters") -> "Counters":
        """How much each has grown."""
        return Counters({key: value - before.values.get(key, 0.0) for key, value in self.values.items()})

    def total(self, name: str) -> float:
        """The sum over all labels."""
        return sum(value for (sample, _), value in self.values.items() if sample == name)

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums for each value of one label, without those that are 0."""
        sums: dict[str, float] = {}
        for (sample, labels), value in self.values.items():
            if sample == name and value:
                word = dict(labels).get(label, "")
                sums[word] = sums.get(word, 0.0) + value
        return sums


@dataclass(frozen=True)
class Analysis:
    """What an analysis took. Calls are those of the engine; tokens and cost are 0 for one that runs here."""

    calls: Mapping[str, int]
    """By outcome."""
    conversations_per_call: float
    cache_hits: int
    skipped: Mapping[str, int]
    """By the rule that found nothing to analyse."""
    failed: Mapping[str, int]
    tokens: Mapping[str, int]
    """By direction: input, output and whatever else is counted."""
    cost_usd: float
    estimated_cost_usd: float


def analysis_of(grown: Counters) -> Analysis:
    """Read the counters as an analysis."""

    def whole(name: str, label: str) -> dict[str, int]:
        return {word: round(value) for word, value in sorted(grown.by(name, label).items())}

    batches = grown.total("undertone_analysis_batch_size_count")
    return Analysis(
        calls=whole("undertone_analysis_calls_total", "outcome"),
        conversations_per_call=grown.total("undertone_analysis_batch_size_sum") / batches if batches else 0.0,
        cache_hits=round(grown.total("undertone_analysis_cache_hits_total")),
        skipped=whole("undertone_analysis_skipped_total", "reason"),
        failed=whole("undertone_analysis_failed_total", "reason"),
        tokens=whole("undertone_analysis_tokens_total", "direction"),
        cost_usd=grown.total("undertone_analysis_cost_usd_total"),
        estimated_cost_usd=grown.total("undertone_analysis_cost_estimated_usd_total"),
    )
