"""Lines of facts for a person and for a program."""

import io

import pytest
from rich.console import Console

from undertone import console

FACTS = ["2 would be sent.", "  time          about 26 min; it begins in 20 min --lane"]


def told(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> list[str]:
    written = io.StringIO()
    screen = Console(file=written, width=40, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(console, "output", lambda: screen)
    console.tell_facts(FACTS, 16)
    return written.getvalue().splitlines()


def test_a_long_fact_goes_on_under_its_beginning_and_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=True) == [
        "2 would be sent.",
        "  time          about 26 min; it begins",
        "                in 20 min --lane",
    ]


def test_a_program_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=False) == FACTS
