"""Subjects as tables: those of the registry, and clusters that it does not know."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from schemas.subjects import SubjectRegistry
from undertone.console import harmless


def subjects_table(registry: SubjectRegistry) -> Table:
    """One row a subject: its title, its slug, and names that count as it, as many as fit."""
    table = _table()
    table.expand = True
    table.add_column("subject")
    table.add_column("slug", no_wrap=True)
    table.add_column("also called", no_wrap=True, overflow="ellipsis", ratio=1)
    for subject in registry.subjects:
        table.add_row(subject.title, Text(subject.slug, style="cyan"), Text(", ".join(subject.aliases), style="dim"))
    return table


def unknown_table(clusters: Sequence[Mapping[str, Any]]) -> Table:
    """One row a cluster: how often it was named, and where to look."""
    table = _table()
    table.add_column("cluster", overflow="fold")
    table.add_column("insights", justify="right", no_wrap=True)
    table.add_column("look at", overflow="fold")
    for one in clusters:
        shown = "\n".join(f"undertone show {harmless(str(example))}" for example in one["examples"])
        table.add_row(Text(harmless(str(one["cluster"]))), f"{one['insights']:,}", Text(shown, style="dim"))
    return table


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
