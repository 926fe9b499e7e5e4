"""Findings that are remembered by content."""

from schemas.insight_produced import Path
from services.analyzer.cache import FindingCache
from services.analyzer.engine import Finding


def _finding(score: float) -> Finding:
    return Finding(score, ("refund",), 0.5, "because", "quoted words here", "summary", Path.OFFLINE, "offline-2")


def test_the_finding_not_asked_for_the_longest_is_forgotten_first() -> None:
    cache = FindingCache(2)
    cache.put(("a", "v"), _finding(0.1))
    cache.put(("b", "v"), _finding(0.2))
    assert cache.get(("a", "v")) == _finding(0.1)
    cache.put(("c", "v"), _finding(0.3))
    assert cache.get(("b", "v")) is None
    assert cache.get(("a", "v")) is not None
    assert cache.get(("a", "another version")) is None


def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = FindingCache(0)
    cache.put(("a", "v"), _finding(0.1))
    assert cache.get(("a", "v")) is None
