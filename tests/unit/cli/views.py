"""An insight as the read API tells of it, and what a terminal shows of a view."""

from io import StringIO
from typing import Any

from rich.console import Console, RenderableType


def an_insight(**changes: Any) -> dict[str, Any]:
    return {
        "insight_id": "i-1",
        "conversation_id": "airline-1",
        "timestamp": "2026-11-21T08:00:00Z",
        "text": "My bag never arrived and nobody answers the phone.",
        "evidence": "nobody answers the phone",
        "sentiment": "negative",
        "grok_analysis": {"sentiment_score": -0.65, "clusters": ["lost_baggage"], "confidence": 0.9, "reasoning": "r"},
        "topics": ["baggage"],
        "summary": "A bag is lost.",
        "analysis_version": "offline-2",
        "path": "offline",
    } | changes


def on_screen(renderable: RenderableType, *, colour: bool = False) -> str:
    stream = StringIO()
    console = Console(file=stream, width=80, force_terminal=colour, color_system="standard" if colour else None)
    console.print(renderable)
    return stream.getvalue()
