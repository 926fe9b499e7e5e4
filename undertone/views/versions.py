"""Analysis versions as tables: how each stands, and where two differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from undertone.console import harmless, words
from undertone.views.parts import TableOrLines, feeling_style, moment, score, titled

_STATES = {"active": "green", "candidate": "yellow", "retired": "dim"}
_DONE = {"completed": "done", "skipped": "skipped", "failed": "failed"}
_SENTIMENTS = ("negative", "neutral", "positive")
_TOPICS = 8

Members = Mapping[str, Any]


def versions_table(found: Members) -> RenderableType:
    """Every version, the active one first."""
    names = [harmless(one["analysis_version"]) for one in found["versions"]]
    versions = TableOrLines(_table(found), [_in_two_lines(one) for one in found["versions"]], names)
    if found["announced"]:
        return versions
    return Group(versions, Text("The analyzers have not been told the last decision yet: Kafka does not answer."))


def _in_two_lines(one: Members) -> RenderableType:
    line = Text(harmless(one["analysis_version"]), style="bold" if one["state"] == "active" else "")
    line.append("  ").append(one["state"], style=_STATES.get(one["state"], "")).append("  live: ", style="dim")
    counts = [f"{one['counts'][name]:,} {title}" for name, title in _DONE.items()]
    if one["state"] != "retired":
        counts += [f"{one['in_flight']:,} in flight", f"{one['missing']:,} missing"]
    told = Padding(f"{', '.join(counts)}, ${one['cost_usd']:,.2f}", (0, 0, 0, 2), expand=False)
    return Group(line.append_text(_live(one)), told)


def _table(found: Members) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("version", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("live", no_wrap=True)
    for column in ("done", "skipped", "failed", "in flight", "missing", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found["versions"]:
        counts = one["counts"]
        table.add_row(
            Text(harmless(one["analysis_version"]), style="bold" if one["state"] == "active" else ""),
            Text(one["state"], style=_STATES.get(one["state"], "")),
            _live(one),
            *(f"{counts[name]:,}" for name in _DONE),
            *_to_come(one),
            f"${one['cost_usd']:,.2f}",
        )
    return table


def _to_come(one: Members) -> tuple[Text, Text]:
    """What is in flight and what is missing; of a retired version nothing is awaited."""
    if one["state"] == "retired":
        return Text(), Text()
    return Text(f"{one['in_flight']:,}"), Text(f"{one['missing']:,}", style="yellow" if one["missing"] else "")


def _live(one: Members) -> Text:
    if not one["is_live"]:
        return Text("no", style="dim")
    return Text("on trial", style="cyan") if one["is_on_trial"] else Text("yes")


def diff_view(found: Members) -> RenderableType:
    """Where two versions differ, for a screen."""
    if not found["compared"]:
        return Text(
            f"No conversation from {moment(found['start_time'])} to {moment(found['end_time'])} was completed under "
            f"both: replay some under the one that lacks them (missing: {_missing(found)}), or see --since."
        )
    return Group(
        _headline(found),
        Text(),
        _sentiments(found),
        Text(),
        *_topics(found),
        *_disagreements(found),
        _costs(found),
    )


def _headline(found: Members) -> Text:
    scores = found["scores"]
    line = Text.assemble((counted(found["compared"], "conversation"), "bold"), " that both have completed: ")
    line.append(f"{found['agreement']:.1%} feel the same")
    r = scores["correlation"]
    line.append(f", scores correlate by {r:+.2f}" if r is not None else ", too few differing scores to correlate")
    average = scores["average"]
    return line.append(f", on average {average['a']:+.2f} → {average['b']:+.2f}.")


def _sentiments(found: Members) -> Table:
    """From a's sentiment (rows) to b's (columns)."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(Text(f"{harmless(found['a'])} → {harmless(found['b'])}"), overflow="fold")
    for name in _SENTIMENTS:
        table.add_column(Text(name, style=feeling_style(name)), justify="right")
    for before in _SENTIMENTS:
        cells = [
            Text(f"{found['sentiments'][before][after]:,}", style="bold" if before == after else "")
            for after in _SENTIMENTS
        ]
        table.add_row(Text(before, style=feeling_style(before)), *cells)
    return table


def _topics(found: Members) -> Sequence[RenderableType]:
    if not found["topics"]:
        return ()
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("subjects that moved", overflow="fold")
    for side in ("a", "b"):
        table.add_column(Text(harmless(found[side])), justify="right")
    table.add_column("", justify="right")
    for one in found["topics"][:_TOPICS]:
        table.add_row(
            words(titled(one["topic"])), f"{one['a']:,}", f"{one['b']:,}", Text(f"{one['b'] - one['a']:+,}", "dim")
        )
    return table, Text()


def _disagreements(found: Members) -> Sequence[RenderableType]:
    if not found["most_disagreeing"]:
        return ()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found["most_disagreeing"]:
        name = Text(harmless(one["conversation_id"]), style="dim", overflow="fold")
        for side in ("a", "b"):  # a row each, so that a score stands beside its own words however long they are
            quoted = Text.assemble("“", words(one[side]["evidence"]), "”  ", _said_by(found[side]))
            table.add_row(score(one[side]["sentiment_score"], one[side]["sentiment"]), quoted)
        table.add_row("", Group(name, ""))
    return Text("They disagree most on", style="dim"), table


def _said_by(version: str) -> tuple[str, str]:
    return harmless(version), "dim"


def _costs(found: Members) -> Text:
    costs = ", ".join(f"{harmless(found[side])} ${found['cost'][side]['cost_usd']:,.2f}" for side in ("a", "b"))
    return Text(f"Spent so far: {costs}. Missing: {_missing(found)}.", style="dim")


def _missing(found: Members) -> str:
    return ", ".join(f"{found['missing'][side]:,} under {harmless(found[side])}" for side in ("a", "b"))
