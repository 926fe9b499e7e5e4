"""Conditions of a query with their bound values."""

from typing import Any


class Conditions:
    """Collects conditions; a value's place is the number it is bound to."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.values: list[Any] = []

    def bind(self, value: Any) -> str:
        """The placeholder of a value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, text: str, **values: Any) -> None:
        """Add a condition whose `{name}` are replaced by placeholders of the values."""
        self._texts.append(text.format(**{name: self.bind(value) for name, value in values.items()}))

    def add_text(self, text: str) -> None:
        """Add a condition whose values are bound already."""
        self._texts.append(text)

    def __str__(self) -> str:
        return " AND ".join(self._texts) or "true"
