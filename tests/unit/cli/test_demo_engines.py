"""Who judges in the demo, and that nobody's key is spent by surprise."""

import inspect
from pathlib import Path

import httpx
import pytest

from undertone.commands.demo_engines import SIMULATED_MODEL, chosen_engine
from undertone.commands.simulate_llm import simulate_llm
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


def test_the_commands_to_go_on_with_start_the_engine_of_the_demo_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "a-real-key")
    for llm in ("offline", "simulator", "grok"):
        with chosen_engine(llm) as engine:
            exported = dict(
                assignment.split("=", 1)
                for command, _ in engine.again
                for word, assignment in [command.split(" ", 1)]
                if word == "export"
            )
            wanted = {name: value for name, value in engine.environment.items() if name != "ANALYZER_LLM_BASE_URL"}
            address = exported.pop("ANALYZER_LLM_BASE_URL", None)
            assert exported == wanted
            assert (address is not None) == (llm == "simulator")
            if address is not None:
                assert "undertone simulate-llm &" in [command for command, _ in engine.again]
                usual = inspect.signature(simulate_llm).parameters
                assert address == f"http://{usual['host'].default}:{usual['port'].default}/v1"
    monkeypatch.delenv("XAI_API_KEY")
    monkeypatch.delenv("XAI_API_KEY_FILE", raising=False)
    with chosen_engine("offline") as engine:
        assert engine.again == (), "without a key `up` starts it by itself"


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
