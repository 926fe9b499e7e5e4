"""How insights, conversations, trends, subjects and the demo's findings are shown."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from schemas.subjects import subject_registry
from tests.unit.cli.views import an_insight, on_screen
from undertone.views.conversation import conversation_view
from undertone.views.demo import examples, outcome_line
from undertone.views.insights import footer, insights_table, nothing_found, quote
from undertone.views.subjects import subjects_table
from undertone.views.trends import topic_bars, trends_view, whole_percentages

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_an_insight_shows_when_how_about_what_and_the_telling_words() -> None:
    printed = on_screen(insights_table([an_insight()]))
    shown = " ".join(printed.split())
    for part in ("-0.65", "Baggage", "nobody answers", "airline-1"):
        assert part in shown
    assert all(len(line) <= 80 for line in printed.splitlines())


def test_the_evidence_is_marked_within_the_quote() -> None:
    spans = quote(an_insight()).spans
    marked = [span for span in spans if span.style == "bold"]
    assert [quote(an_insight()).plain[span.start : span.end] for span in marked] == ["nobody answers the phone"]


def test_a_long_text_is_cut_around_its_evidence() -> None:
    shown = quote(an_insight(text="word " * 200 + "nobody answers the phone" + " word" * 200), limit=100).plain
    assert "nobody answers the phone" in shown
    assert len(shown) < 110


def test_evidence_from_later_in_the_conversation_is_quoted_itself() -> None:
    assert quote(an_insight(text="Hello?")).plain == "“… nobody answers the phone …”"


def test_a_transcript_marks_evidence_also_across_a_line_break_and_in_another_case() -> None:
    conversation = {
        "conversation_id": "a",
        "status": "completed",
        "turns": [{"role": "customer", "text": "Hello, Nobody\nanswers  the phone!"}],
        "insight": an_insight(),
    }
    printed = on_screen(conversation_view(conversation), colour=True)
    assert "\x1b[1;30;43mNobody\x1b[0m" in printed
    assert "\x1b[1;30;43manswers the phone\x1b[0m" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        ({"status": "queued"}, "waits for its analysis"),
        (
            {"status": "failed", "error": {"reason": "llm_error", "detail": "HTTP 500", "attempts": 5}},
            "after 5 attempts",
        ),
        ({"status": "skipped", "skipped": {"reason": "too_short"}}, "too_short"),
        ({"status": "skipped"}, "Skipped before analysis."),
    ],
)
def test_a_conversation_without_insight_says_why(conversation: dict[str, Any], said: str) -> None:
    assert said in on_screen(conversation_view({"conversation_id": "a", "turns": [], **conversation}))


def test_an_empty_window_names_where_the_data_is_and_the_command_that_shows_it() -> None:
    available = {"earliest": "2017-10-31T22:00:00Z", "latest": "2017-12-03T18:00:00Z"}
    window = {"start_time": "2026-11-20T09:00:00Z", "end_time": "2026-11-21T09:00:00Z"}
    metadata = {"available": available, "time_window": window}
    printed = on_screen(nothing_found(metadata, "insights", "--sentiment negative", NOW))
    assert "31 Oct 2017 to 03 Dec 2017" in printed
    assert "undertone insights --since 2017-10-31 --until 2017-12-04 --sentiment negative" in " ".join(printed.split())


def test_filters_that_match_nothing_are_told_from_an_empty_window() -> None:
    available = {"earliest": "2026-11-20T22:00:00Z", "latest": "2026-11-21T08:00:00Z"}
    window = {"start_time": "2026-11-20T09:00:00Z", "end_time": "2026-11-21T09:00:00Z"}
    printed = on_screen(nothing_found({"available": available, **window}, "insights", "--subject billing", NOW))
    assert "No insight matches (--subject billing)" in printed


def test_after_a_switch_of_engines_the_insights_of_the_one_before_are_named() -> None:
    metadata = {
        "available": {"earliest": None, "latest": None},
        "analysis_version": "grok-4.3-p1",
        "other_versions": {"offline-2": 1272, "offline-0": 3},
    }
    printed = " ".join(on_screen(nothing_found(metadata, "insights", "--sentiment negative", NOW)).split())
    assert "no insights under grok-4.3-p1 yet; there are 1,272 under offline-2, 3 under offline-0" in printed
    assert "undertone insights --analysis-version offline-2 --since 30d --sentiment negative" in printed


@pytest.mark.parametrize(("missing", "is_said"), [(None, False), (0, False), (272, True)])
def test_a_list_says_what_is_known_under_an_earlier_version_only(missing: int | None, is_said: bool) -> None:
    told = {"total_count": 1, "analysis_version": "offline-2", "missing_under_version": missing}
    said = "272 conversations are not analysed under offline-2"
    assert (said in " ".join(on_screen(footer(told, 1)).split())) == is_said


def test_an_empty_store_says_how_to_fill_it() -> None:
    assert "undertone ingest FILE" in on_screen(nothing_found({"available": None}, "insights", "", NOW))


@pytest.mark.parametrize(
    ("counts", "percentages"),
    [
        ([59, 101, 112], [22, 37, 41]),
        ([1, 1, 1], [34, 33, 33]),
        ([0, 0, 7], [0, 0, 100]),
        ([0, 0, 0], [0, 0, 0]),
        ([995, 3, 2], [100, 0, 0]),
        ([125, 375, 500], [13, 37, 50]),
    ],
)
def test_shares_add_up_to_a_hundred(counts: list[int], percentages: list[int]) -> None:
    assert whole_percentages(counts) == percentages


def test_trends_show_totals_shares_changes_and_coverage_in_80_columns() -> None:
    days = [{"start": f"2026-11-{day:02d}T00:00:00Z", "total": day, "negative": day // 2} for day in range(14, 21)]
    printed = on_screen(
        trends_view(
            {
                "window_days": 7,
                "total_insights": 200,
                "average_sentiment": -0.215,
                "sentiment_counts": {"positive": 50, "neutral": 50, "negative": 100},
                "top_topics": [["baggage", 80], ["a_new_subject", 20]],
                "series": days,
                "coverage": {"completed": 200, "skipped": 3, "failed": 1, "in_flight": 2},
                "previous": {"total_insights": 180, "average_sentiment": -0.1,
                             "sentiment_counts": {"positive": 60, "neutral": 50, "negative": 70}},
            }
        )
    )  # fmt: skip
    for part in ("200 insights in 7 days", "-0.21", "50%", "▼ 10", "▲ 30", "Baggage", "a new subject", "2 still"):
        assert part in printed
    assert all(len(line) <= 80 for line in printed.splitlines())


def test_a_window_without_anything_but_a_total_is_shown_too() -> None:
    assert "0 insights" in on_screen(trends_view({}))


def test_the_demos_examples_are_the_extremes_and_one_about_something_else() -> None:
    scores = {"sad": (-0.9, "a"), "glad": (0.9, "b"), "other": (0.0, "c")}
    crowd = [
        an_insight(conversation_id=f"{name}{n}", grok_analysis={"sentiment_score": score, "confidence": 0.5},
                 topics=[topic], text="short" if n else "This one has the most to say.")
        for name, (score, topic) in scores.items()
        for n in range(5)
    ]  # fmt: skip
    assert [insight["conversation_id"] for insight in examples(crowd)] == ["sad0", "glad0", "other0"]
    assert examples([]) == []
    assert len(examples(crowd[:1])) == 1


def test_the_demos_first_line_says_whether_the_counts_agree() -> None:
    counts = {"completed": 270, "skipped": 2, "failed": 0}
    assert outcome_line(272, counts, is_exact=True).plain == "272 accepted = 270 completed + 2 skipped + 0 failed"
    assert "272 accepted but 270" in outcome_line(272, counts, is_exact=False).plain


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_bars_are_whole_and_in_proportion_however_narrow_the_terminal_is(width: int) -> None:
    stream = StringIO()
    Console(file=stream, width=width).print(topic_bars([("baggage", 40), ("staff_behaviour", 20)]))
    bars = [line.count("█") for line in stream.getvalue().splitlines() if "█" in line]
    assert "…" not in stream.getvalue()
    assert len(bars) == 2
    assert bars[1] == bars[0] // 2 > 0


def test_the_names_of_subjects_are_whole_in_a_narrow_terminal() -> None:
    """They are there to be copied."""
    registry = subject_registry()
    stream = StringIO()
    Console(file=stream, width=60).print(subjects_table(registry))
    for subject in registry.subjects:
        assert subject.slug in stream.getvalue()
