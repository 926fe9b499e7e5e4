"""What is skipped before the engine, and what never may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.conversation_received import Role, Turn
from services.analyzer.prefilter import BOILERPLATE, ONLY_LINKS, TOO_SHORT, Prefilter, Skip

REFUND = Turn(text="I want a refund.")


def decide(*texts: str) -> Skip | None:
    return Prefilter().decide([Turn(text=text) for text in texts])


@pytest.mark.parametrize(
    ("text", "skip"),
    [
        ("ab", TOO_SHORT),
        ("@desk me too", TOO_SHORT),
        ("...", TOO_SHORT),
        ("\u200b", TOO_SHORT),
        ("https://t.example/abc", ONLY_LINKS),
        ("@desk www.x.example https://y.example/z?q=refund", ONLY_LINKS),
        ("Thank you.", BOILERPLATE),
        ("Hello there", BOILERPLATE),
        ("ok, thanks for your help", BOILERPLATE),
    ],
)
def test_nothing_to_judge_is_skipped_by_the_rule_that_says_so(text: str, skip: Skip) -> None:
    assert decide(text) == skip


@pytest.mark.parametrize(
    "text",
    [
        "I want a refund.",
        "refund",
        "Broken.",
        "😡",
        "worst!",
        "scam",
        "baaaad",
        "SUUUCKS",
        "that's it?!?!",
        "Thank you so much, you saved my trip!",
        "thanks for nothing",
        "No!",
        "ok but it is late",
        "届きません",
        "broken https://x.example/a.jpg",
    ],
)
def test_what_may_matter_is_analysed(text: str) -> None:
    assert decide(text) is None


def test_all_that_the_customer_says_counts_and_what_the_agent_says_does_not() -> None:
    agent = Turn(role=Role.AGENT, text="How can I help you with your refund today?")
    assert Prefilter().decide([Turn(text="Hello"), agent, Turn(text="ok thanks")]) == BOILERPLATE
    assert Prefilter().decide([Turn(text="Hello"), agent, Turn(text="my order is broken")]) is None


def test_a_conversation_without_a_customer_is_not_skipped_for_its_roles() -> None:
    assert Prefilter().decide([Turn(role=Role.AGENT, text="Your refund was refused.")]) is None


def test_the_minimum_of_letters_is_a_setting() -> None:
    assert Prefilter(min_characters=4).decide([Turn(text="me too")]) is None
    assert Prefilter(min_characters=40).decide([Turn(text="see you there, my dear")]) == TOO_SHORT


def test_every_skip_names_the_version_of_its_rule() -> None:
    assert all(skip.rule_version >= 1 for skip in (TOO_SHORT, ONLY_LINKS, BOILERPLATE))


SAYABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


@given(
    st.lists(st.text(SAYABLE, min_size=1, max_size=60).map(lambda text: Turn(text=text)), max_size=5), st.integers(0, 5)
)
def test_no_other_words_make_a_refund_be_skipped(turns: list[Turn], at: int) -> None:
    assert Prefilter().decide([*turns[:at], REFUND, *turns[at:]]) is None
