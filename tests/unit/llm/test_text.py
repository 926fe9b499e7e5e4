"""Finding quotations again, however they were retyped."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.analyzer.llm.text import (
    MAX_EVIDENCE_CHARACTERS,
    MAX_EVIDENCE_WORDS,
    Passages,
    normalise,
    occurs_elsewhere,
    shortened,
    visible,
)

COMPLAINT = Passages.of(
    ["Hello!", "I\u2019ve waited  three\nweeks \u2014 and my \u201corder\u201d still isn't here\u2026 why?"]
)


@pytest.mark.parametrize(
    ("quotation", "quoted"),
    [
        ("i've waited three weeks", "I\u2019ve waited  three\nweeks"),
        ('"my "order" still isn\u2019t here..."', "my \u201corder\u201d still isn't here\u2026"),
        ("three weeks - and my", "three\nweeks \u2014 and my"),
        ("WHY", "isn't here\u2026 why?"),
        ("here", "isn't here\u2026 why?"),
        ("Hello", "Hello!"),
        ("I've", "I\u2019ve waited  three"),
    ],
)
def test_a_quotation_is_found_and_given_as_the_conversation_spells_it(quotation: str, quoted: str) -> None:
    assert COMPLAINT.quote(quotation) == quoted


@pytest.mark.parametrize("quotation", ["", "...", '""', "aited three", "three week", "my order", "Hello! I've waited"])
def test_what_was_not_said_in_one_turn_is_not_found(quotation: str) -> None:
    assert COMPLAINT.quote(quotation) is None


def test_words_within_words_count_only_between_conversations() -> None:
    passages = Passages.of(["The smart choice of the party"])

    assert passages.quote("mart choice") is None
    assert occurs_elsewhere("mart choice", [passages])


def test_scripts_without_spaces_are_quoted() -> None:
    passages = Passages.of(["荷物がまだ届いていません。とても困っています。"])

    assert passages.quote("まだ届いて") == "荷物がまだ届いていません。とても困っています。"


def test_accents_that_were_typed_apart_are_the_same_letters() -> None:
    passages = Passages.of(["Le cafe\u0301 e\u0301tait froid hier soir"])

    assert passages.quote("café était froid") == "cafe\u0301 e\u0301tait froid"


def test_a_long_quotation_is_cut_to_twelve_words() -> None:
    words = [f"word{number}" for number in range(40)]

    assert Passages.of([" ".join(words)]).quote(" ".join(words[3:30])) == " ".join(words[3:15])


def test_a_word_without_end_is_cut_to_what_the_contract_holds() -> None:
    assert Passages.of(["x" * 5_000]).quote("x" * 5_000) == "x" * MAX_EVIDENCE_CHARACTERS


def test_visible_text_is_one_line_without_tricks() -> None:
    assert visible("a\u200bb\x07 \u202e c\r\n\r\nd\u2028e") == "ab c d e"


def test_shortened_text_says_so() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"


texts = st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=5)


@given(texts, st.data())
@example(["a\u00adb c"], None)
@example(["\u1e9e \u0130x"], None)
def test_any_words_in_a_row_are_found_and_cut_out_of_the_original(turns: list[str], data: st.DataObject | None) -> None:
    passages = Passages.of(turns)
    turn = data.draw(st.sampled_from(turns)) if data else turns[0]
    words = turn.split()
    assume(words)
    first = data.draw(st.integers(0, len(words) - 1)) if data else 0
    last = data.draw(st.integers(first, len(words) - 1)) if data else len(words) - 1

    quoted = passages.quote(" ".join(words[first : last + 1]))

    if quoted is not None:
        assert any(quoted in original for original in turns)
        assert 1 <= len(quoted.split()) <= MAX_EVIDENCE_WORDS
        assert passages.contain(normalise(quoted))
    elif all(word.isascii() and word.isalnum() for word in words):
        pytest.fail("plain words were not found")


@given(st.text(max_size=100), texts)
def test_whatever_is_quoted_stands_in_one_turn(quotation: str, turns: list[str]) -> None:
    quoted = Passages.of(turns).quote(quotation)

    assert quoted is None or any(quoted in turn for turn in turns)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=100))
def test_plain_text_is_normalised_quickly_but_no_differently(text: str) -> None:
    # A letter that is not ASCII takes the long way round.
    assert normalise(f"{text} \u00e9") == f"{normalise(text)} \u00e9".strip()
    assert visible(f"{text} \u00e9") == f"{visible(text)} \u00e9".strip()
