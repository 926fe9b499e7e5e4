"""One conversation: its transcript with the telling words marked, its insight, and what happened to it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from services.runtime.counting import counted
from undertone.console import harmless, harmless_paragraphs
from undertone.views.parts import feeling_style, moment, score, titled

_SPEAKER_STYLES = {"customer": "bold cyan", "agent": "bold magenta", "system": "bold dim"}

Conversation = Mapping[str, Any]


def conversation_view(conversation: Conversation) -> RenderableType:
    """The whole story of a conversation."""
    insight = conversation.get("insight") or {}
    return Group(
        _title(conversation),
        Text(),
        *_transcript(conversation, str(insight.get("evidence") or "")),
        _insight(insight) if insight else _why_there_is_none(conversation),
        *_history(conversation),
    )


def _title(conversation: Conversation) -> Text:
    title = Text(harmless(str(conversation.get("conversation_id"))), style="bold")
    details = [str(conversation.get("status") or "")]
    details += [harmless(str(conversation[name])) for name in ("channel", "language") if conversation.get(name)]
    if conversation.get("occurred_at"):
        details.append(moment(conversation["occurred_at"], with_year=True))
    return title.append("  " + " · ".join(details), style="not bold dim")


def _transcript(conversation: Conversation, evidence: str) -> Iterator[RenderableType]:
    pattern = _pattern_of(evidence)
    for turn in conversation.get("turns") or ():
        role = str(turn.get("role") or "customer")
        heading = Text(role, style=_SPEAKER_STYLES.get(role, "bold"))
        if turn.get("author"):
            heading.append(f"  {harmless(str(turn['author']))}", style="not bold dim")
        if turn.get("at"):
            heading.append(f"  {moment(turn['at'])}", style="not bold dim")
        text = Text(harmless_paragraphs(str(turn.get("text") or "")))
        if pattern is not None:
            text.highlight_regex(pattern, style="bold black on yellow")
        yield heading
        yield Padding(text, (0, 0, 1, 2))


def _pattern_of(evidence: str) -> re.Pattern[str] | None:
    """The evidence as it may stand in the transcript: wrapped anywhere, in any case."""
    parts = harmless(evidence).split()
    return re.compile(r"\s+".join(map(re.escape, parts)), re.IGNORECASE) if parts else None


def _insight(insight: Mapping[str, Any]) -> RenderableType:
    analysis = insight.get("grok_analysis") or {}
    sentiment = str(insight.get("sentiment") or "")
    headline = Text.assemble(
        (sentiment, f"bold {feeling_style(sentiment)}"), " ", score(analysis.get("sentiment_score"), sentiment)
    )
    if analysis.get("confidence") is not None:
        headline.append(f"  confidence {analysis['confidence']:.0%}", style="dim")
    topics = "; ".join(titled(harmless(str(topic))) for topic in insight.get("topics") or ())
    if topics:
        headline.append(f"  {topics}")
    if insight.get("stale"):
        headline.append("  (of an older revision)", style="yellow")
    lines = [headline]
    lines += [Text(harmless(str(text))) for text in (insight.get("summary"), analysis.get("reasoning")) if text]
    told = (str(insight[name]) for name in ("analysis_version", "path", "model") if insight.get(name))
    made = " · ".join(dict.fromkeys(told))  # the offline engine's model is its version
    return Group(*lines, Text(harmless(made), style="dim"))


def _why_there_is_none(conversation: Conversation) -> Text:
    status = conversation.get("status")
    if status == "failed":
        error = conversation.get("error") or {}
        reason, detail = str(error.get("reason") or "unknown reason"), str(error.get("detail") or "")
        why = reason if detail in {"", reason} else f"{reason}: {detail}"
        after = f" after {counted(error['attempts'], 'attempt')}" if error.get("attempts") else ""
        return Text(f"The analysis failed{after}: {harmless(why)}", style="red")
    if status == "skipped":
        reason = harmless(str((conversation.get("skipped") or {}).get("reason") or ""))
        return Text(f"Skipped before analysis{f' ({reason})' if reason else ''}.", style="yellow")
    return Text("No insight yet: the conversation waits for its analysis.", style="yellow")


def _history(conversation: Conversation) -> Iterator[RenderableType]:
    history = conversation.get("history") or ()
    if history:
        yield Text("\nEarlier insights", style="bold")
    for insight in history:
        analysis = insight.get("grok_analysis") or {}
        when = moment(insight.get("analyzed_at"))
        version = harmless(str(insight.get("analysis_version") or ""))
        value = score(analysis.get("sentiment_score"), insight.get("sentiment"))
        yield Text.assemble(f"  {when}  ", value, (f"  {version}", "dim"))
