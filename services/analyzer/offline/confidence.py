"""How often a finding like this one is right."""

UNREADABLE = 0.1
"""For a language the word lists do not know."""


def confidence_of(score: float, *, is_found: bool) -> float:
    return min(0.95, 0.5 + abs(score)) if is_found else 0.3
