"""Metrics for Prometheus. A service's own stand in its `metrics.py`; all are named `undertone_…`.

No label ever holds an id or a text: labels are small fixed sets of words.
"""

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import REGISTRY

__all__ = ["REGISTRY", "SECONDS", "Counter", "Gauge", "Histogram"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for durations, in seconds: from a cached answer to a slow completion."""

PUBLISHED = Counter(
    "undertone_records_published", "Records that Kafka acknowledged or refused, by topic.", ["topic", "outcome"]
)
SENDS_WAITING = Gauge(
    "undertone_sends_waiting",
    "Records given to the producer that Kafka has not resolved yet.",
    multiprocess_mode="livesum",
)
DEAD_LETTERS = Counter("undertone_dead_letters", "Records written to the dead-letter topic, by reason.", ["reason"])
LIMITED = Counter("undertone_requests_limited", "Requests answered 429, by the limit that was reached.", ["limit"])
LIMITS_UNSHARED = Counter(
    "undertone_limits_unshared",
    "Requests whose client was counted by this process alone, because Redis did not answer.",
)
