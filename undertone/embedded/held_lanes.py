"""What an analyzer says of lanes that start no analyses: why, until when, and whether money is what they wait for."""

from collections.abc import Mapping
from typing import Any


def reasons_of(analyzer: Mapping[str, Any]) -> dict[str, str]:
    """Of lanes that are held for a time, and of lanes that stand at a record until somebody acts."""
    return {**(analyzer.get("holds") or {}), **(analyzer.get("blocked") or {})}


def ends_of(analyzer: Mapping[str, Any]) -> dict[str, str]:
    """When lanes go on by themselves (ISO 8601); of one that stands at a record nobody knows it."""
    blocked = analyzer.get("blocked") or {}
    return {lane: end for lane, end in (analyzer.get("held_until") or {}).items() if lane not in blocked}


def budget_used_up(analyzer: Mapping[str, Any]) -> str | None:
    """What an analyzer's readiness says of its budget: a check that never fails, for this is what its owner asked."""
    said = (analyzer.get("checks") or {}).get("budget") or {}
    return said.get("detail")
