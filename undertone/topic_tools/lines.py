"""A record as one line for a person; whatever a stranger wrote is made harmless."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from rich.text import Text

from schemas.analysis_control import ActiveVersionChanged, EnginesOffered, HoldDeclared, SpendReserved, SpendSettled
from schemas.analysis_failed import AnalysisFailed
from schemas.analysis_started import AnalysisStarted
from schemas.conversation_received import ConversationReceived, Role
from schemas.conversation_skipped import ConversationSkipped
from schemas.event import Event
from schemas.insight_produced import InsightProduced
from services.runtime.counting import counted
from undertone.console import harmless
from undertone.dead_letters.bytes_view import shown_line
from undertone.topic_tools.decoding import Decoded, problem_of, type_of
from undertone.views.parts import feeling_style, score, titled

_TYPE_STYLES = {"unreadable": "bold red", "dead letter": "red", "analysis.failed": "red", "hold.declared": "yellow"}
_QUOTED = 120
Piece = Text | str


def line_of(one: Decoded, *, with_words: bool) -> Text:
    """When and where, what kind, whose, and what it says; `with_words` adds what the customer wrote."""
    record = one.record
    kind = type_of(one)
    line = Text.assemble(
        (f"{_clock(record.timestamp_ms)} ", "dim"),
        (f"{record.partition}:{record.offset}".ljust(9), "dim"),
        (kind.ljust(22), _TYPE_STYLES.get(kind, "cyan")),
    )
    if record.key is not None:
        line.append(f" {shown_line(record.key, 40)}", style="bold")
    for piece in _said(one, with_words=with_words):
        line.append("  ")
        line.append_text(piece if isinstance(piece, Text) else Text(piece))
    return line


def _clock(timestamp_ms: int) -> str:
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone()
    day = "" if at.date() == datetime.now().astimezone().date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def _said(one: Decoded, *, with_words: bool) -> Iterable[Piece]:
    if one.event is not None:
        tell = _TELLERS.get(type(one.event))
        return tell(one.event, with_words) if tell is not None else ()
    if one.letter is not None:
        letter = one.letter
        origin = f"{letter.origin.topic} {letter.origin.partition}:{letter.origin.offset}"
        return (harmless(f"{letter.reason.value}: {letter.detail}"), Text(harmless(origin), style="dim"))
    problem = problem_of(one)
    shown = [counted(len(one.record.value or b""), "byte")]
    if with_words and one.record.value:
        shown.append(shown_line(one.record.value, 60))
    return (harmless(f"{problem['reason']}: {problem['detail']}"), *(Text(text, style="dim") for text in shown))


def _received(event: ConversationReceived, with_words: bool) -> Iterable[Piece]:
    count = len(event.turns)
    yield f"{count} turn{'' if count == 1 else 's'}"
    if event.channel:
        yield Text(event.channel, style="magenta")
    opening = next((turn.text for turn in event.turns if turn.role is Role.CUSTOMER), event.turns[0].text)
    if with_words:
        yield _quote(opening)


def _insight(event: InsightProduced, with_words: bool) -> Iterable[Piece]:
    sentiment = event.sentiment.value
    yield Text.assemble((sentiment, feeling_style(sentiment)), " ", score(event.sentiment_score, sentiment))
    yield ", ".join(titled(topic) for topic in event.topics)
    yield Text(f"{event.analysis_version} {event.path.value} {event.confidence:.0%}", style="dim")
    if with_words and event.evidence:
        yield _quote(event.evidence)


def _skipped(event: ConversationSkipped, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield Text(event.reason.value, style="yellow")


def _failed(event: AnalysisFailed, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield Text(f"{event.reason.value} after {counted(event.attempts, 'attempt')}{_more(event)}", style="red")


def _more(event: AnalysisFailed) -> str:
    """The detail, where it says more than the reason."""
    return "" if event.detail in {"", event.reason.value} else f": {harmless(event.detail)}"


def _started(event: AnalysisStarted, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield f"{counted(len(event.conversations), 'conversation')} under {event.analysis_version}"


def _hold(event: HoldDeclared, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    lane = event.lane.value if event.lane is not None else "all lanes"
    yield f"{lane} for {event.hold_seconds:g} s" if event.hold_seconds else f"{lane}: ended"
    yield harmless(f"{event.reason} ({event.declared_by})")


def _reserved(event: SpendReserved, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield harmless(f"${event.amount_usd:.4f} by {event.reserved_by}")


def _settled(event: SpendSettled, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield harmless(f"${event.spent_usd:.4f} by {event.settled_by}")


def _version(event: ActiveVersionChanged, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    yield harmless(f"{event.analysis_version} by {event.changed_by}")


def _engines(event: EnginesOffered, with_words: bool) -> Iterable[Piece]:  # noqa: ARG001 - it holds no words
    versions = ", ".join(event.analysis_versions)
    yield harmless(f"{event.offered_by} has {versions}" if versions else f"{event.offered_by} stops")


_TELLERS: dict[type[Event], Callable[..., Iterable[Piece]]] = {
    ConversationReceived: _received,
    InsightProduced: _insight,
    ConversationSkipped: _skipped,
    AnalysisFailed: _failed,
    AnalysisStarted: _started,
    HoldDeclared: _hold,
    SpendReserved: _reserved,
    SpendSettled: _settled,
    ActiveVersionChanged: _version,
    EnginesOffered: _engines,
}


def _quote(text: str) -> Text:
    shown = harmless(text[: _QUOTED + 1])
    return Text(f"“{shown[:_QUOTED]}{'…' if len(text) > _QUOTED else ''}”", style="dim")
