"""A whole number in parts that are whole numbers, too, and that add up to it."""

from collections.abc import Sequence


def split(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide a whole number by weights so that the parts add up to it (largest remainders first)."""
    if not weights:
        return ()
    weighing = sum(weights)
    if weighing <= 0:
        weights, weighing = [1] * len(weights), len(weights)
    parts = [total * weight // weighing for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % weighing))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return tuple(parts)
