"""How versions are listed and compared."""

from typing import Any

from rich.console import Console, RenderableType

from tests.unit.cli.versions import a_version, all_versions
from undertone.views.versions import diff_view, versions_table

_FEELINGS = ("negative", "neutral", "positive")


def shown(view: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def a_diff(**members: Any) -> dict[str, Any]:
    side = {"sentiment": "negative", "sentiment_score": -0.5, "evidence": "still \x1b[31mnot here"}
    return {
        "a": "old",
        "b": "new",
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2026-01-02T00:00:00Z",
        "compared": 3,
        "sentiments": {one: dict.fromkeys(("negative", "neutral", "positive"), 1) for one in _FEELINGS},
        "agreement": 1 / 3,
        "scores": {"n": 3, "correlation": None, "average": {"a": -0.5, "b": 0.25}},
        "topics": [{"topic": "refunds_and_returns", "a": 1, "b": 3}],
        "most_disagreeing": [{"conversation_id": "c1", "a": side, "b": {**side, "sentiment_score": 0.9}}],
        "cost": {"a": {"cost_usd": 0.0}, "b": {"cost_usd": 1.5}},
        "missing": {"a": 0, "b": 4},
        **members,
    }


def test_the_list_has_one_line_a_version_on_80_columns() -> None:
    text = shown(versions_table(all_versions(a_version("offline-2", state="active"), a_version("grok-4.4-p1"))))
    assert len(text.splitlines()) == 3
    assert "1,234,567" in text


def test_a_narrow_screen_shows_two_lines_a_version_and_cuts_none() -> None:
    found = all_versions(a_version("offline-2", state="active", is_live=True), a_version("grok-4.4-p1", missing=7))
    lines = shown(versions_table(found), width=60).splitlines()
    assert [line.rstrip() for line in lines] == [
        "offline-2  active  live: yes",
        "  1,234,567 done, 0 skipped, 12 failed, 3 in flight, 0",
        "  missing, $12.50",
        "grok-4.4-p1  candidate  live: no",
        "  1,234,567 done, 0 skipped, 12 failed, 3 in flight, 7",
        "  missing, $12.50",
    ]


def test_of_a_retired_version_nothing_is_said_to_be_missing() -> None:
    text = shown(versions_table(all_versions(a_version("gone", state="retired", missing=987_654))))
    assert "987,654" not in text


def test_a_comparison_shows_quotes_made_harmless_and_what_is_undefined() -> None:
    text = shown(diff_view(a_diff()))
    assert "\x1b" not in text
    assert "too few differing scores" in " ".join(text.split())
    assert "-0.50 → +0.25" in " ".join(text.split())
    assert "4 under new" in " ".join(text.split())


def test_each_score_stands_beside_its_own_words_however_long_they_are() -> None:
    long, short = {"evidence": "never again " * 20, "sentiment": "negative"}, {"evidence": "thanks"}
    pair: dict[str, Any] = {"conversation_id": "c1", "a": {**long, "sentiment_score": -0.5}, "b": {**long, **short}}
    pair["b"] |= {"sentiment": "positive", "sentiment_score": 0.9}
    lines = shown(diff_view(a_diff(most_disagreeing=[pair]))).splitlines()
    (line,) = [line for line in lines if line.startswith("+0.90")]
    assert "“thanks”  new" in line


def test_a_comparison_of_nothing_says_what_to_do() -> None:
    assert "No conversation" in shown(diff_view(a_diff(compared=0)))
