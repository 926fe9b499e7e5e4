"""Whatever customers write, a terminal shows it and obeys none of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cli.views import an_insight, on_screen
from undertone.console import harmless, harmless_paragraphs
from undertone.views.conversation import conversation_view
from undertone.views.demo import findings
from undertone.views.insights import insights_table
from undertone.views.trends import trends_view

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]not markup[/bold] \u202eesrever\u2066 \x9b2J\x00 tab\there"


def _obeyed(printed: str) -> list[str]:
    """Characters that a terminal would act upon, other than line breaks."""
    return [character for character in printed if not character.isprintable() and character != "\n"]


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left_of_any_text(text: str) -> None:
    assert all(character.isprintable() or character == "\u200d" for character in harmless(text))
    assert "\x1b" not in harmless_paragraphs(text)


def test_ordinary_words_of_any_language_and_emoji_stay_as_they_are() -> None:
    text = "Grüße, 你好, مرحبا, 👩\u200d💻 [brackets] & <angles>"
    assert harmless(text) == text


@pytest.mark.parametrize(
    "view",
    [
        lambda: insights_table([an_insight(text=HOSTILE, evidence="", conversation_id=HOSTILE, topics=[HOSTILE])]),
        lambda: conversation_view(
            {"conversation_id": HOSTILE, "status": "completed", "channel": HOSTILE,
             "insight": an_insight(summary=HOSTILE),
             "turns": [{"role": "customer", "author": HOSTILE, "text": HOSTILE}]}
        ),
        lambda: conversation_view(
            {"conversation_id": "a", "status": "failed", "error": {"reason": HOSTILE, "detail": HOSTILE, "attempts": 5}}
        ),
        lambda: trends_view({"total_insights": 1, "top_topics": [[f"[bold]{HOSTILE}", 1]]}),
        lambda: findings([{"insight": an_insight(text=HOSTILE, topics=[HOSTILE], conversation_id=HOSTILE)}]),
    ],
)  # fmt: skip
def test_customers_words_never_reach_the_terminal_as_commands_or_markup(view: Any) -> None:
    text = on_screen(view())
    assert _obeyed(text) == []
    assert "[bold]" in text


def test_markup_in_any_place_is_printed_as_it_stands() -> None:
    markup = "[b]x[/b]"
    insight = an_insight(text=markup, evidence=markup, conversation_id=markup, topics=[markup, markup], summary=markup)
    turns = [{"role": "customer", "author": markup, "text": markup}]
    conversation = {"conversation_id": markup, "status": "completed", "channel": markup, "language": markup}
    assert on_screen(insights_table([insight])).count(markup) == 4
    assert on_screen(conversation_view({**conversation, "insight": insight, "turns": turns})).count(markup) == 8
    assert on_screen(trends_view({"total_insights": 1, "top_topics": [[markup, 1]]})).count(markup) == 1
    assert on_screen(findings([{"insight": insight, "turns": turns}])).count(markup) == 5
