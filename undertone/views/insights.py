"""A list of insights, and what to say when there is none."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from undertone.console import harmless, words
from undertone.views.parts import moment, score, titled

_QUOTE_CHARACTERS = 160

Insight = Mapping[str, Any]


def insights_table(insights: Sequence[Insight]) -> Table:
    """One row an insight: when, how it felt, what about, and the words that say so."""
    table = Table(box=None, padding=(0, 1, 1, 0), header_style="dim", show_edge=False)
    table.add_column("when", no_wrap=True)
    table.add_column("felt", no_wrap=True)
    table.add_column("about", max_width=20)
    table.add_column("what was said")
    for insight in insights:
        analysis = insight.get("grok_analysis") or {}
        table.add_row(
            moment(insight.get("timestamp")),
            score(analysis.get("sentiment_score"), insight.get("sentiment")),
            words("\n".join(titled(topic) for topic in list(insight.get("topics") or ())[:2])),
            Group(quote(insight), Text(harmless(str(insight.get("conversation_id"))), style="dim", overflow="fold")),
        )
    return table


def quote(insight: Insight, limit: int = _QUOTE_CHARACTERS) -> Text:
    """The customer's words with the part that speaks for the result marked."""
    text = harmless(str(insight.get("text") or ""))
    evidence = harmless(str(insight.get("evidence") or ""))
    at = text.lower().find(evidence.lower()) if evidence else -1
    if evidence and at < 0:  # it was said later in the conversation
        return Text.assemble("“… ", (evidence, "bold"), " …”")
    shown = _around(text, max(at, 0), len(evidence), limit)
    marked = words(shown)
    if evidence:
        marked.highlight_regex(re.compile(re.escape(evidence), re.IGNORECASE), style="bold")
    return Text.assemble("“", marked, "”")


def _around(text: str, at: int, length: int, limit: int) -> str:
    """At most `limit` characters of the text, with this place among them."""
    if len(text) <= limit:
        return text
    begin = max(0, min(at - (limit - length) // 2, len(text) - limit)) if at + length > limit else 0
    end = begin + limit
    return ("…" if begin else "") + text[begin:end].strip() + ("…" if end < len(text) else "")


def footer(metadata: Mapping[str, Any], shown: int) -> Text:
    """How many there are, and how to see more."""
    total = metadata.get("total_count", shown)
    of_how_many = counted(int(total), "insight")
    if not metadata.get("count_is_exact", True):
        of_how_many = f"more than {of_how_many}"
    line = Text(f"{shown:,} of {of_how_many}", style="dim")
    if shown < int(total):
        line.append("; --limit shows more, --json gives them to programs")
    return line.append_text(not_yet_under(metadata))


def not_yet_under(told: Mapping[str, Any]) -> Text:
    """How many conversations lack a result under the version that is shown: nothing when none does."""
    missing = int(told.get("missing_under_version") or 0)
    if not missing:
        return Text()
    version = harmless(str(told.get("analysis_version")))
    return Text(
        f"\n{counted(missing, 'conversation')} {'is' if missing == 1 else 'are'} not analysed under {version}, but "
        "under an earlier version: `undertone versions list`",
        style="yellow",
    )


def nothing_found(metadata: Mapping[str, Any], command: str, filters: str, now: datetime) -> RenderableType:
    """Where the data is, and the command that shows it."""
    available = metadata.get("available") or {}
    earliest, latest = available.get("earliest"), available.get("latest")
    others = metadata.get("other_versions") or {}
    if others and not earliest:
        return _under_other_versions(metadata.get("analysis_version"), others, command, filters)
    if not earliest or not latest:
        return Text(
            "There are no insights yet. Send conversations with `undertone ingest FILE`; `undertone status` shows "
            "whether some are being analysed."
        )
    since, until = datetime.fromisoformat(str(earliest)), datetime.fromisoformat(str(latest))
    window = metadata.get("time_window") or metadata
    start, end = window.get("start_time"), window.get("end_time")
    if start and end and datetime.fromisoformat(str(start)) <= since and until < datetime.fromisoformat(str(end)):
        return Text(f"No insight matches{f' ({filters})' if filters else ''}; there are others from this time.")
    lines = Text("Nothing in this time.", style="bold")
    lines.append(f" There are insights from {since:%d %b %Y} to {until:%d %b %Y}:\n", style="not bold")
    suggestion = f"  undertone {command} --since {since:%Y-%m-%d}"
    if until < now - timedelta(days=2):
        suggestion += f" --until {until + timedelta(days=1):%Y-%m-%d}"
    lines.append(f"{suggestion}{f' {filters}' if filters else ''}", style="not bold cyan")
    return lines


def _under_other_versions(version: object, others: Mapping[str, int], command: str, filters: str) -> RenderableType:
    """After a switch of engines: nothing under this version yet, all under those before."""
    counts = ", ".join(f"{count:,} under {harmless(str(name))}" for name, count in others.items())
    most = max(others, key=lambda name: others[name])
    lines = Text(f"There are no insights under {harmless(str(version))} yet", style="bold")
    lines.append(f"; there are {counts}:\n", style="not bold")
    given = f" {filters}" if filters else ""
    lines.append(
        f"  undertone {command} --analysis-version {harmless(str(most))} --since 30d{given}", style="not bold cyan"
    )
    return lines
