"""Who judges in the demo, and that nobody's key is spent by surprise."""

from pathlib import Path

import httpx
import pytest

from undertone.commands.demo_engines import SIMULATED_MODEL, chosen_engine
from undertone.errors import UsageProblem

HOME = Path("/home/somebody/.undertone")


@pytest.mark.parametrize("llm", ["", "offline", " OFFLINE "])
def test_without_a_name_the_offline_engine_judges_whatever_key_there_is(
    llm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "a-real-key")
    with chosen_engine(llm) as engine:
        assert engine.environment == {"ANALYZER_ENGINE": "offline"}
        assert engine.home(HOME) == HOME


def test_a_simulator_is_asked_without_the_real_key_and_only_while_the_demo_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "a-real-key")
    with chosen_engine("simulator") as engine:
        address = engine.environment["ANALYZER_LLM_BASE_URL"]
        assert address.startswith("http://127.0.0.1:")
        assert engine.environment["XAI_API_KEY"] != "a-real-key"
        assert engine.environment["ANALYZER_LLM_MODEL"] == SIMULATED_MODEL
        assert engine.home(HOME) != HOME, "what a simulator says must not stand among real insights"
        assert httpx.get(f"{address}/models", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/models", trust_env=False)


def test_grok_needs_a_key_and_is_named_with_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    monkeypatch.delenv("XAI_API_KEY_FILE", raising=False)
    with pytest.raises(UsageProblem, match="LLM=grok needs a key"), chosen_engine("grok"):
        pass
    monkeypatch.setenv("XAI_API_KEY", "a-real-key")
    with chosen_engine("grok") as engine:
        assert engine.environment == {"ANALYZER_ENGINE": "llm"}
        assert "Grok" in engine.name
        assert "5 US dollars" in engine.name
        assert "a-real-key" not in engine.name
