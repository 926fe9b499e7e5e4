"""Trends: how customers felt, how that changed, and what it was about."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from services.runtime.splitting import split
from undertone.console import words
from undertone.views.insights import not_yet_under
from undertone.views.parts import Bar, change, feeling_style, sparkline, titled

SENTIMENTS = ("positive", "neutral", "negative")
_MAX_BUCKETS = 31
_BAR_WIDTH = 28
_TOPIC_BAR_WIDTH = 26
_MAX_NAME = 38

Trends = Mapping[str, Any]


def trends_view(trends: Trends) -> RenderableType:
    """Everything about a window that fits on a screen."""
    return Group(
        _headline(trends),
        Text(),
        sentiment_bars(trends.get("sentiment_counts") or {}, (trends.get("previous") or {}).get("sentiment_counts")),
        Text(),
        _series(trends.get("series") or ()),
        Text(),
        topic_bars(trends.get("top_topics") or ()),
        Text(),
        coverage_line(trends.get("coverage") or {}).append_text(not_yet_under(trends)),
    )


def _headline(trends: Trends) -> Text:
    previous = trends.get("previous") or {}
    total = int(trends.get("total_insights") or 0)
    average = trends.get("average_sentiment")
    line = Text.assemble((counted(total, "insight"), "bold"))
    if trends.get("window_days"):
        line.append(f" in {trends['window_days']:g} {'day' if trends['window_days'] == 1 else 'days'}")
    if average is not None:
        line.append(f", average sentiment {average:+.2f}")
    if previous.get("total_insights"):
        line.append(f"  (the window before: {previous['total_insights']:,}")
        if previous.get("average_sentiment") is not None:
            line.append(f", {previous['average_sentiment']:+.2f}")
        line.append(")")
    return line


def sentiment_bars(counts: Mapping[str, int], previous: Mapping[str, int] | None = None) -> Table:
    """One bar a sentiment, with its share and, where it is known, the change."""
    total = sum(counts.get(name, 0) for name in SENTIMENTS)
    percentages = whole_percentages([counts.get(name, 0) for name in SENTIMENTS])
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, percentage in zip(SENTIMENTS, percentages, strict=True):
        count = counts.get(name, 0)
        share = count / total if total else 0.0
        difference = change(count, previous.get(name, 0) if previous and any(previous.values()) else None)
        numbers = f"{count:>7,}  {percentage:>3}%"
        table.add_row(name, Bar(share, _BAR_WIDTH, feeling_style(name)), numbers, difference)
    return table


def whole_percentages(counts: Sequence[int]) -> list[int]:
    """Shares that add up to 100; of nothing, nothing."""
    return list(split(100, counts)) if any(counts) else [0] * len(counts)


def topic_bars(topics: Sequence[Sequence[Any]], limit: int = 8) -> Table:
    """The most frequent subjects."""
    table = Table.grid(padding=(0, 2, 0, 0))
    top = max((int(count) for _, count in topics), default=0)
    for name, count in topics[:limit]:
        share = int(count) / top if top else 0.0
        table.add_row(words(_short(titled(str(name)))), Bar(share, _TOPIC_BAR_WIDTH), f"{int(count):>7,}")
    return table


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _series(series: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line of blocks for the number of insights, and one for the share of negative ones."""
    shown = list(series)[-_MAX_BUCKETS:]
    if len(shown) < 2:
        return Text("One point in time only: no development to show.", style="dim")
    totals = [float(one.get("total") or 0) for one in shown]
    negative = [
        float(one.get("negative") or 0) / total if total else 0.0 for one, total in zip(shown, totals, strict=True)
    ]
    begin, end = (_day(shown[index].get("start")) for index in (0, -1))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row("insights", Text(sparkline(totals), style="cyan"), f"up to {max(totals):,.0f}")
    table.add_row("negative", Text(sparkline(negative), style="red"), f"up to {max(negative):.0%}")
    table.add_row("", Text(f"{begin} to {end}", style="dim"), "")
    return table


def _day(start: Any) -> str:
    try:
        return f"{datetime.fromisoformat(str(start)):%d %b}"
    except ValueError:
        return "?"


def coverage_line(coverage: Mapping[str, int]) -> Text:
    """How much of what was accepted stands behind the figures."""
    parts = [f"{coverage.get(name, 0):,} {name.replace('_', ' ')}" for name in ("completed", "skipped", "failed")]
    if coverage.get("in_flight"):
        parts.append(f"{coverage['in_flight']:,} still being analysed")
    return Text(f"Of the conversations in this time: {', '.join(parts)}.", style="dim")
