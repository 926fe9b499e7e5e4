"""What each analysis version is charged by: its own model's price, and none where nobody knows it."""

from typing import Any

import pytest

from services.analyzer.llm.options import PRICES
from services.analyzer.settings import AnalyzerSettings
from tests.builders import a_conversation
from undertone.replay.pricing import Tariff
from undertone.replay.tariffs import tariff_of

MILLION = 1_000_000


def settings(**given: Any) -> AnalyzerSettings:
    return AnalyzerSettings(**{"XAI_API_KEY": None, "llm_base_url": "http://llm", **given})


def priced(version: str | None, **given: Any) -> Tariff:
    found = tariff_of(version, settings(**given))
    assert found is not None
    return found


def of_a_million(tariff: Tariff) -> float:
    assert tariff.cost_usd is not None
    return tariff.cost_usd(MILLION, 0)


def test_the_offline_engine_costs_nothing_beside_whichever() -> None:
    assert tariff_of("offline-2", settings(engine="llm")) is None
    assert tariff_of(None, settings(engine="offline")) is None


@pytest.mark.parametrize("engine", ["llm", "offline"])
def test_a_known_model_has_its_list_price_whoever_asks(engine: str) -> None:
    tariff = priced("grok-4.3-p1", engine=engine)
    assert (tariff.model, tariff.price_from) == ("grok-4.3", "the list price")
    assert of_a_million(tariff) == PRICES["grok-4.3"].input_usd


def test_an_unknown_model_has_no_price_and_what_gives_one_is_named() -> None:
    for version in ("grok-9-p1", "grok-9-p2"):
        tariff = priced(version, engine="llm", further_engines="grok-9")
        assert (tariff.model, tariff.cost_usd) == ("grok-9", None)
        assert tariff.price_from == "ANALYZER_LLM_PRICE_INPUT_USD and ANALYZER_LLM_PRICE_OUTPUT_USD"


def test_a_further_engine_has_the_price_that_the_analyzer_takes_for_it() -> None:
    given = {"further_engines": "grok-9", "llm_price_input_usd": 7, "llm_price_output_usd": 9}
    assert of_a_million(priced("grok-9-p1", engine="offline", **given)) == 7
    assert "ANALYZER_LLM_PRICE" in priced("grok-9-p1", **given).price_from
    assert of_a_million(priced("grok-4.3-p1", engine="llm", llm_model="own", **given)) == PRICES["grok-4.3"].input_usd
    assert of_a_million(priced("own-p1", engine="llm", llm_model="own", **given)) == 7


def test_a_model_whose_name_a_version_cannot_hold_is_found_by_the_settings() -> None:
    tariff = priced("vendor-model-p1", further_engines="vendor/model")
    assert tariff.model == "vendor/model"


def test_what_may_be_taken_at_most_is_more_than_what_probably_is() -> None:
    tariff = priced("grok-4.3-p1")
    tokens = tariff.estimate(a_conversation("c", "My parcel is late, where is it? 包裹在哪里"))
    assert tokens.most_given >= tokens.given
    assert tokens.most_taken > tokens.taken
    assert tariff.call.most_given >= tariff.call.given
