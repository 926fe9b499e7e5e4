"""Counts as people read them: `1 conversation`, `2,000 conversations`."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """The count with its noun in the number that it needs; `plural` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
