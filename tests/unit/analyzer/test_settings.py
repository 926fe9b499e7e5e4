"""Wrong settings end the start with one line that names the variable."""

import pytest

from services.analyzer.agents import check_buffer
from services.analyzer.engine import EngineMisconfigured
from services.analyzer.llm.options import PRICES
from services.analyzer.resources import llm_options, open_engines
from services.analyzer.settings import AnalyzerSettings
from services.runtime.settings import load_settings


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ANALYZER_CALLS_PER_SECOND": "-1"}, "ANALYZER_CALLS_PER_SECOND"),
        ({"ANALYZER_CALLS_PER_SECOND": "nan"}, "ANALYZER_CALLS_PER_SECOND"),
        ({"ANALYZER_ENGINE": "gpt"}, "ANALYZER_ENGINE"),
        ({"ANALYZER_ENGINE": "llm"}, "XAI_API_KEY"),
        ({"ANALYZER_MIN_BATCH": "9", "ANALYZER_START_BATCH": "5"}, "ANALYZER_MIN_BATCH"),
        ({"ANALYZER_LLM_PRICE_INPUT_USD": "1"}, "ANALYZER_LLM_PRICE_OUTPUT_USD"),
        ({"ANALYZER_LLM_BASE_URL": "ftp://x"}, "ANALYZER_LLM_BASE_URL"),
        *(
            ({"XAI_API_KEY": "k", "ANALYZER_LLM_BASE_URL": url}, "ANALYZER_LLM_BASE_URL has no host")
            for url in (
                "https://",
                "http://:80/v1",
                "http://h:99999/v1",
                "http://h:0/v1",
                "http://h h/v1",
                "http://[x/v1",
            )
        ),
        *(
            ({"XAI_API_KEY": "k", "ANALYZER_LLM_MODEL": model}, "ANALYZER_LLM_MODEL: ")
            for model in (" ", "grok 4", "grok\n4")
        ),
        *(({"XAI_API_KEY": key}, "XAI_API_KEY is no key") for key in ("  ", "k\nx", "k k", "k\u00e9y")),
        ({"XAI_API_KEY": "k", "ANALYZER_PORT": "99999"}, "ANALYZER_PORT"),
        ({"ANALYZER_FURTHER_ENGINES": "offline,,grok-4"}, "ANALYZER_FURTHER_ENGINES"),
        ({"ANALYZER_FURTHER_ENGINES": "grok 4"}, "ANALYZER_FURTHER_ENGINES"),
        ({"ANALYZER_FURTHER_ENGINES": "grok-4"}, "XAI_API_KEY"),
    ],
)
def test_a_wrong_setting_is_named(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(AnalyzerSettings)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert named in printed
    assert len(printed.strip().splitlines()) == 1


def test_what_only_the_llm_needs_is_not_looked_at_where_another_engine_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "no key")
    assert not AnalyzerSettings(engine="offline").uses_llm


def test_a_key_chooses_the_llm_only_where_the_engine_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AnalyzerSettings().uses_llm
    monkeypatch.setenv("XAI_API_KEY", "a-key")
    assert AnalyzerSettings().uses_llm
    assert not AnalyzerSettings(engine="offline").uses_llm
    assert "a-key" not in repr(AnalyzerSettings())


def test_the_llm_is_told_its_price_and_has_a_connection_for_every_permitted_call() -> None:
    settings = AnalyzerSettings(
        engine="llm",
        llm_base_url="http://127.0.0.1:8010/v1",
        llm_model="another",
        llm_price_input_usd=2,
        llm_price_output_usd=4,
        calls_per_second=10,
        llm_timeout_seconds=60,
    )
    options = llm_options(settings)
    assert (options.price.input_usd, options.price.cached_input_usd, options.price.output_usd) == (2, 2, 4)
    assert options.max_connections == 600


def test_a_lane_with_too_many_partitions_is_refused_since_a_held_lane_would_stop_the_other() -> None:
    check_buffer(12)
    with pytest.raises(ValueError, match="13 partitions"):
        check_buffer(13)


def _with_further(names: str, **more: object) -> AnalyzerSettings:
    values = {"engine": "llm", "llm_base_url": "http://127.0.0.1:8010/v1", "llm_model": "own", "further_engines": names}
    return AnalyzerSettings.model_validate({**values, **more})


async def test_further_engines_are_opened_behind_the_own_one() -> None:
    assert AnalyzerSettings().named_further_engines == ()
    async with open_engines(_with_further(" offline , another/model ")) as engines:
        versions = [engine.analysis_version for engine in engines]
        assert versions == ["own-p1", "offline-2", "another-model-p1"]
        assert [engine.is_paced for engine in engines] == [True, False, True]


@pytest.mark.parametrize("names", ["own", "offline,offline", "a/b,a-b"])
async def test_two_engines_of_one_analysis_version_end_the_start(names: str) -> None:
    with pytest.raises(EngineMisconfigured, match=r"ANALYZER_FURTHER_ENGINES names .* already"):
        async with open_engines(_with_further(names)):
            pass


def test_given_prices_are_the_own_models_and_those_of_models_that_nobody_knows() -> None:
    settings = _with_further("grok-4.3,unknown", llm_price_input_usd=2, llm_price_output_usd=4)
    assert llm_options(settings).price.output_usd == 4
    assert llm_options(settings, "unknown").price.output_usd == 4
    assert llm_options(settings, "grok-4.3").price == PRICES["grok-4.3"]
