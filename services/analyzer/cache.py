"""Findings of this process by content and version, the least recently used forgotten first. Errors are never kept."""

from collections import OrderedDict

from services.analyzer.batching import ContentKey
from services.analyzer.engine import Finding


class FindingCache:
    """At most `size` findings; 0 keeps none."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._findings: OrderedDict[ContentKey, Finding] = OrderedDict()

    def get(self, key: ContentKey) -> Finding | None:
        """The finding for this content under this version."""
        finding = self._findings.get(key)
        if finding is not None:
            self._findings.move_to_end(key)
        return finding

    def put(self, key: ContentKey, finding: Finding) -> None:
        """Keep a finding, forgetting the one that was not asked for the longest."""
        if self._size == 0:
            return
        self._findings[key] = finding
        self._findings.move_to_end(key)
        if len(self._findings) > self._size:
            self._findings.popitem(last=False)
