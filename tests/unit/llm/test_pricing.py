"""What calls cost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.engine import Usage
from services.analyzer.llm.options import PRICE_OF_UNKNOWN_MODEL, PRICES, LlmOptions
from services.analyzer.llm.pricing import cost_of, usage_of

PRICE = PRICES["grok-4.3"]


def test_the_stated_cost_counts() -> None:
    usage = usage_of({"prompt_tokens": 10, "completion_tokens": 5, "cost_in_usd_ticks": 37_756_000}, PRICE)

    assert usage.cost_usd == pytest.approx(0.0037756)


def test_without_one_the_price_table_does_and_cached_tokens_are_cheap() -> None:
    stated = {
        "prompt_tokens": 1_000_000,
        "completion_tokens": 1_000_000,
        "prompt_tokens_details": {"cached_tokens": 400_000},
    }

    usage = usage_of(stated, PRICE)

    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (1_000_000, 400_000, 1_000_000)
    assert usage.cost_usd == pytest.approx(0.6 * 1.25 + 0.4 * 0.20 + 2.50)


def test_tokens_of_thinking_count_as_output_whether_stated_apart_or_not() -> None:
    apart = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 200}
    included = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}

    assert usage_of(apart, PRICE).output_tokens == usage_of(included, PRICE).output_tokens == 100


@pytest.mark.parametrize("ticks", [-1, float("nan"), float("inf"), 10**30, 10**400, -(10**400), "12", True, None])
def test_a_senseless_cost_is_not_believed(ticks: Any) -> None:
    usage = usage_of({"prompt_tokens": 1_000_000, "cost_in_usd_ticks": ticks}, PRICE)

    assert usage.cost_usd == pytest.approx(1.25)


def test_a_model_without_a_price_is_taken_as_dearer_than_any_known_one() -> None:
    assert LlmOptions(model="new-model").price == PRICE_OF_UNKNOWN_MODEL
    usage = Usage(1000, 0, 1000)
    assert all(cost_of(usage, PRICE_OF_UNKNOWN_MODEL) > cost_of(usage, price) for price in PRICES.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "cost_in_usd_ticks"])
        | st.just("prompt_tokens_details"),
        inner,
        max_size=6,
    ),
)


@given(json_values)
def test_no_usage_gives_negative_or_absurd_figures(stated: Any) -> None:
    usage = usage_of(stated, PRICE)

    assert 0 <= usage.cached_input_tokens <= usage.input_tokens <= 10_000_000
    assert 0 <= usage.output_tokens <= 10_000_000
    assert 0 <= usage.cost_usd <= 1_000
