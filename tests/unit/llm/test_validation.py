"""Believing a model's results: only what holds the contract and is proven by the conversation's own words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.insight_produced import MAX_CLUSTERS, MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS
from services.analyzer.engine import Refusal
from services.analyzer.llm.reading import read_completion
from services.analyzer.llm.text import Passages, normalise
from services.analyzer.llm.validation import Asked, Believed, judge

PARCEL = Asked("aaaa0001", Passages.of(["My parcel has still not arrived.", "I want my money back today, please."]))
THANKS = Asked("bbbb0002", Passages.of(["Thank you for the quick refund.", "I want my money well spent."]))
ASKED = (PARCEL, THANKS)


def a_result(identifier: Any = PARCEL.id, **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "sentiment_score": -0.7,
        "clusters": ["delivery_problems"],
        "confidence": 0.9,
        "reasoning": "It is late.",
        "evidence": "parcel has still not arrived",
        "summary": "A late parcel.",
    } | changes


GOOD = a_result(THANKS.id, sentiment_score=0.8, evidence="the quick refund", summary="A quick refund.")


def verdicts(*results: Any, asked: tuple[Asked, ...] = ASKED) -> tuple[Believed | Refusal, ...]:
    return judge(read_completion(json.dumps({"results": results})), asked).by_position


def refusal_of(result: Any) -> str:
    """Why the first one is refused; its neighbour must be believed all the same."""
    first, second = verdicts(result, GOOD)
    assert isinstance(second, Believed)
    assert isinstance(first, Refusal), first
    assert not first.is_final
    assert "parcel" not in first.detail
    return first.reason


def test_a_result_within_the_contract_is_believed() -> None:
    first, second = verdicts(a_result(), GOOD)

    assert isinstance(first, Believed)
    assert (first.sentiment_score, first.confidence, first.clusters) == (-0.7, 0.9, ("delivery_problems",))
    assert (first.evidence, first.summary) == ("parcel has still not arrived.", "A late parcel.")
    assert json.loads(first.part) == a_result()
    assert isinstance(second, Believed)


def test_the_order_of_the_results_does_not_matter() -> None:
    assert verdicts(GOOD, a_result()) == verdicts(a_result(), GOOD)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sentiment_score": 1.01}, "out_of_range"),
        ({"sentiment_score": -1.5}, "out_of_range"),
        ({"sentiment_score": float("nan")}, "out_of_range"),
        ({"sentiment_score": float("inf")}, "out_of_range"),
        ({"sentiment_score": 10**400}, "out_of_range"),
        ({"sentiment_score": "0.5"}, "wrong_type"),
        ({"sentiment_score": True}, "wrong_type"),
        ({"sentiment_score": None}, "wrong_type"),
        ({"confidence": -0.01}, "out_of_range"),
        ({"confidence": [0.5]}, "wrong_type"),
        ({"clusters": "billing"}, "wrong_type"),
        ({"clusters": [1]}, "wrong_type"),
        ({"clusters": []}, "out_of_range"),
        ({"clusters": ["x"] * 21}, "out_of_range"),
        ({"clusters": ["x" * 201]}, "out_of_range"),
        ({"reasoning": 7}, "wrong_type"),
        ({"reasoning": " \u200b\n"}, "empty"),
        ({"reasoning": "x" * 5_000}, "too_long"),
        ({"reasoning": f"unlike {THANKS.id}"}, "foreign_reference"),
        ({"summary": {}}, "wrong_type"),
        ({"summary": "x" * 5_000}, "too_long"),
        ({"evidence": None}, "wrong_type"),
        ({"evidence": "x" * 5_000}, "too_long"),
        ({"evidence": ""}, "evidence_not_found"),
        ({"evidence": "nobody ever said this"}, "evidence_not_found"),
        ({"evidence": "not arrived. I want my money"}, "evidence_not_found"),
        ({"evidence": "the quick refund"}, "evidence_of_another"),
        ({"evidence": "I want my money"}, "evidence_shared"),
    ],
)
def test_a_value_that_breaks_the_contract_is_refused_and_its_neighbour_believed(
    changes: dict[str, Any], reason: str
) -> None:
    assert refusal_of(a_result(**changes)) == reason


@pytest.mark.parametrize("name", ["sentiment_score", "clusters", "confidence", "reasoning", "evidence", "summary"])
def test_a_result_without_one_of_its_members_is_refused(name: str) -> None:
    result = a_result()
    del result[name]

    assert refusal_of(result) == "missing_member"


@pytest.mark.parametrize(
    "result", [None, "text", 7, [], {}, a_result("cccc0003"), a_result(None), a_result([PARCEL.id])]
)
def test_a_result_that_nobody_asked_for_counts_as_missing(result: Any) -> None:
    assert refusal_of(result) == "missing_result"


def test_foreign_results_are_counted() -> None:
    reading = read_completion(json.dumps({"results": [a_result("cccc0003"), None, GOOD]}))

    assert judge(reading, ASKED).foreign_results == 2


def test_two_different_results_for_one_conversation_are_both_refused() -> None:
    first, second = verdicts(a_result(), GOOD, a_result(sentiment_score=0.9))

    assert isinstance(first, Refusal)
    assert first.reason == "duplicated_result"
    assert isinstance(second, Believed)


def test_the_same_result_twice_is_one_result() -> None:
    assert isinstance(verdicts(a_result(), a_result(), GOOD)[0], Believed)


def test_swapped_results_are_both_refused() -> None:
    swapped = verdicts(a_result(THANKS.id), GOOD | {"id": PARCEL.id})

    assert [verdict.reason for verdict in swapped if isinstance(verdict, Refusal)] == ["evidence_of_another"] * 2


def test_texts_that_are_a_little_too_long_are_cut_and_say_so() -> None:
    first, _ = verdicts(a_result(reasoning="r" * 700, summary="s" * 300), GOOD)

    assert isinstance(first, Believed)
    assert (len(first.reasoning), len(first.summary)) == (MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS)
    assert first.reasoning.endswith("…")


def test_clusters_become_slugs_each_once_and_at_most_five() -> None:
    names = ["Late Delivery!", "late_delivery", "A", "B", "C", "D", "E", "日本"]

    first, _ = verdicts(a_result(clusters=names), GOOD)

    assert isinstance(first, Believed)
    assert first.clusters == ("late_delivery", "a", "b", "c", "d")
    assert len(first.clusters) == MAX_CLUSTERS


def test_nothing_that_cannot_be_stored_passes() -> None:
    first, _ = verdicts(a_result(reasoning="a\x00b\ud800c", summary="\x1b[31mred\u202e"), GOOD)

    assert isinstance(first, Believed)
    assert (first.reasoning, first.summary) == ("ab?c", "[31mred")
    assert "\x00" not in first.part
    first.part.encode()


def test_a_lone_conversation_needs_evidence_too() -> None:
    assert isinstance(verdicts(a_result(), asked=(PARCEL,))[0], Believed)
    invented = verdicts(a_result(evidence="nobody said so"), asked=(PARCEL,))[0]
    assert isinstance(invented, Refusal)


def test_what_was_cut_off_and_what_is_malformed_say_so() -> None:
    whole = json.dumps({"results": [GOOD, a_result()]})
    cut = judge(read_completion(whole[:-30]), ASKED).by_position[0]
    broken = judge(read_completion(whole.replace(f'"{PARCEL.id}"', f'"{PARCEL.id}" oops')), ASKED).by_position[0]

    assert isinstance(cut, Refusal)
    assert isinstance(broken, Refusal)
    assert (cut.reason, broken.reason) == ("truncated", "malformed")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
results = st.dictionaries(
    st.sampled_from(["id", "sentiment_score", "clusters", "confidence", "reasoning", "evidence", "summary", "extra"]),
    json_values
    | st.sampled_from([PARCEL.id, THANKS.id, 0.5, ["billing"], "the quick refund", "parcel has still not arrived"])
    | st.sampled_from(["I want my money", "I want my money back today", "a text"]),
    max_size=8,
) | st.builds(
    lambda identifier, changes: a_result(identifier) | changes,
    st.sampled_from([PARCEL.id, THANKS.id, "cccc0003"]),
    st.dictionaries(st.sampled_from(["evidence", "sentiment_score", "clusters", "summary"]), json_values, max_size=2),
)


@given(st.lists(results | json_values, max_size=6))
def test_nothing_is_believed_that_is_out_of_contract_or_unproven(answered: list[Any]) -> None:
    completion = json.dumps({"results": answered})

    judged = judge(read_completion(completion), ASKED).by_position

    assert len(judged) == len(ASKED)
    for verdict, own, other in zip(judged, ASKED, reversed(ASKED), strict=True):
        if isinstance(verdict, Believed):
            assert -1 <= verdict.sentiment_score <= 1
            assert 0 <= verdict.confidence <= 1
            assert 1 <= len(verdict.clusters) <= MAX_CLUSTERS
            assert 1 <= len(verdict.reasoning) <= MAX_REASONING_CHARACTERS
            assert 1 <= len(verdict.summary) <= MAX_SUMMARY_CHARACTERS
            assert any(verdict.evidence in turn for turn in own.passages.originals)
            assert not other.passages.contain(normalise(verdict.evidence))
