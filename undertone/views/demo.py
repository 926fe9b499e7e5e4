"""The demo's summary: what became of the sample, how customers felt, about what, and how to go on."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from undertone.console import harmless
from undertone.times import describe_seconds
from undertone.views.insights import quote
from undertone.views.parts import score, titled
from undertone.views.trends import sentiment_bars, topic_bars

_ALIKE = 5
_QUOTE_CHARACTERS = 200
_COMMAND_WIDTH = 30
"""The longest usual command and what it does fit into 80 columns."""

Insight = Mapping[str, Any]
Conversation = Mapping[str, Any]


def outcome_line(accepted: int, counts: Mapping[str, int], *, is_exact: bool) -> Text:
    """`272 accepted = 270 completed + 2 skipped + 0 failed`."""
    parts = " + ".join(f"{count:,} {name}" for name, count in counts.items())
    sign = "=" if is_exact else "but"
    return Text(f"{accepted:,} accepted {sign} {parts}", style="bold green" if is_exact else "bold red")


def findings(conversations: Iterable[Conversation]) -> RenderableType:
    """How customers felt, what it was about, and three insights in their own words."""
    insights = [_with_telling_turn(conversation) for conversation in conversations if conversation.get("insight")]
    sentiments = Counter(str(insight.get("sentiment")) for insight in insights)
    topics = Counter(str(topic) for insight in insights for topic in insight.get("topics") or ())
    ranked = sorted(topics.items(), key=lambda entry: (-entry[1], entry[0]))
    parts: list[RenderableType] = [Text("How customers felt", style="bold"), _indented(sentiment_bars(sentiments))]
    parts += [Text("What it was about", style="bold"), _indented(topic_bars(ranked, limit=6))]
    parts += [Text("In their own words", style="bold")]
    parts += [_indented(example) for example in map(_example, examples(insights))]
    return Group(*parts)


def _with_telling_turn(conversation: Conversation) -> Insight:
    """The insight with the customer's turn that its evidence stands in, so that the quote has its surroundings."""
    insight = conversation["insight"]
    evidence = str(insight.get("evidence") or "").lower()
    texts = [str(turn["text"]) for turn in conversation.get("turns") or () if turn.get("role") == "customer"]
    telling = next((text for text in texts if evidence and evidence in text.lower()), insight.get("text"))
    return {**insight, "text": telling}


def examples(insights: Sequence[Insight]) -> list[Insight]:
    """One of the saddest, one of the happiest, and one of the surest of those about something else.

    Of a few that are alike in this, the one that says most is worth reading most.
    """
    by_score = sorted(insights, key=lambda insight: (_analysis(insight).get("sentiment_score", 0), _id(insight)))
    chosen = [max(group, key=_length) for group in (by_score[:_ALIKE], by_score[-_ALIKE:]) if group]
    known = {topic for insight in chosen for topic in insight.get("topics") or ()}
    others = [insight for insight in insights if not known.intersection(insight.get("topics") or ())]
    others.sort(key=lambda insight: (-_analysis(insight).get("confidence", 0), _id(insight)))
    chosen += [max(others[:_ALIKE], key=_length)] if others else []
    return list({_id(insight): insight for insight in chosen}.values())


def _length(insight: Insight) -> int:
    return min(len(str(insight.get("text") or "")), _QUOTE_CHARACTERS)


def _analysis(insight: Insight) -> Mapping[str, Any]:
    return insight.get("grok_analysis") or {}


def _id(insight: Insight) -> str:
    return str(insight.get("conversation_id"))


def _example(insight: Insight) -> Text:
    topics = "; ".join(titled(harmless(str(topic))) for topic in list(insight.get("topics") or ())[:2])
    line = score(_analysis(insight).get("sentiment_score"), insight.get("sentiment"))
    line.append(f"  {topics}", style="default").append(f"  {harmless(_id(insight))}\n", style="dim")
    return line.append(quote(insight, _QUOTE_CHARACTERS))


def _indented(renderable: RenderableType) -> Padding:
    return Padding(renderable, (0, 0, 1, 2))


def took(seconds: Mapping[str, float], in_all: float) -> RenderableType:
    """How long each part took, and the whole."""
    parts = "   ".join(f"{part} {describe_seconds(value)}" for part, value in seconds.items())
    return Group(Text(f"How long it took: {describe_seconds(in_all)}", style="bold"), _indented(Text(parts)))


def next_steps(
    program: str,
    ingress_url: str,
    read_api_url: str,
    example_id: str,
    *,
    activate: str | None = None,
    home: str | None = None,
    engine: Sequence[tuple[str, str]] = (),
) -> Text:
    """How to go on: commands, and three calls that work once the stack is up. To be printed as it is, unbroken.

    `activate` is what puts `undertone` on the path, where it is not there yet; `home` the state folder, where it is
    not the usual one; `engine` the commands, with their effects, that bring the demo's engine back.
    """
    commands = [
        (activate, "put `undertone` on your path"),
        (None if home is None else f"export UNDERTONE_HOME={shlex.quote(home)}", "keep to the data of this demo"),
        *engine,
        (f"{program} up", "start it again with the data of this demo"),
        ("undertone insights --since 8d", "list what was found, with quotes"),
        (f"undertone show {example_id}", "read one conversation and its insight"),
        ("undertone ingest FILE" if home is None else None, "send conversations of your own"),
    ]
    calls = (
        f"curl '{read_api_url}/api/v1/trends?days=8'",
        f"curl {read_api_url}/api/v1/conversations/{example_id}",
        f"curl {ingress_url}/api/v1/conversations \\",
        "  -H 'Content-Type: application/json' \\",
        """  -d '{"text": "My parcel never came and nobody answers."}'""",
    )
    lines = [Text("How to go on", style="bold")]
    lines += [_command(command, effect) for command, effect in commands if command is not None]
    lines += [Text(), Text("And while it is up, without our command", style="bold")]
    return Text("\n").join([*lines, *(Text(f"  {call}", style="cyan") for call in calls)])


def _command(command: str, effect: str) -> Text:
    line = Text.assemble("  ", (f"{command:<{_COMMAND_WIDTH}}", "cyan"), (f"  {effect}", "dim"))
    line.rstrip()
    return line
