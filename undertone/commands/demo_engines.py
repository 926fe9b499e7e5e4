"""Who judges in the demo: the offline engine, a simulated LLM, or Grok when somebody asks for it by name."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from undertone.errors import UsageProblem
from undertone.simulator.beside import simulator_beside

SIMULATED_MODEL = "simulated"
"""Its insights must never pass for those of a real model."""
_KEY_VARIABLES = ("XAI_API_KEY", "XAI_API_KEY_FILE")
_OFFLINE_AGAIN = (("export ANALYZER_ENGINE=offline", "your key stays unused"),)
_SIMULATOR_URL = "http://127.0.0.1:8010/v1"
"""Where `undertone simulate-llm` answers when it is not told otherwise."""
_SIMULATED_AGAIN = (
    ("undertone simulate-llm &", "the simulated LLM, which ended with the demo"),
    ("export ANALYZER_ENGINE=llm", "let it judge again"),
    (f"export ANALYZER_LLM_MODEL={SIMULATED_MODEL}", ""),
    (f"export ANALYZER_LLM_BASE_URL={_SIMULATOR_URL}", ""),
    ("export ANALYZER_DAILY_BUDGET_USD=unlimited", "what it states as cost is no money"),
    ("export XAI_API_KEY=simulated", "it needs no real one"),
)


@dataclass(frozen=True, slots=True)
class DemoEngine:
    """An engine, the settings that choose it, and where its insights are kept: apart from those of another."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    again: Sequence[tuple[str, str]] = ()
    """Commands, with their effects, after which `up` starts this engine and no other."""

    @property
    def is_offline(self) -> bool:
        return self.folder is None

    def home(self, base: Path) -> Path:
        """Where the demo keeps its state."""
        return base if self.folder is None else base / self.folder


OFFLINE = DemoEngine("the offline engine", {"ANALYZER_ENGINE": "offline"})
"""Named even so: a key in somebody's environment must never be spent by surprise."""


@contextmanager
def chosen_engine(llm: str) -> Iterator[DemoEngine]:
    """The engine of this name; a simulator answers until the block ends. Raises UsageProblem."""
    match llm.strip().lower():
        case "" | "offline":
            yield replace(OFFLINE, again=_OFFLINE_AGAIN) if _has_key() else OFFLINE
        case "simulator":
            with simulator_beside() as base_url:
                name = "a simulated LLM on this machine"
                yield DemoEngine(name, _simulated(base_url), "demo-simulator", _SIMULATED_AGAIN)
        case "grok":
            yield _grok()
        case _:
            raise UsageProblem(f"LLM is {llm[:40]!r}, which is no engine; use offline, simulator or grok.")


def _has_key() -> bool:
    """With a key `up` asks Grok, unless it is told not to."""
    return any(os.environ.get(name) for name in _KEY_VARIABLES)


def _simulated(base_url: str) -> dict[str, str]:
    return {
        "ANALYZER_ENGINE": "llm",
        "ANALYZER_LLM_BASE_URL": base_url,
        "ANALYZER_LLM_MODEL": SIMULATED_MODEL,
        "ANALYZER_DAILY_BUDGET_USD": "unlimited",  # what it states as cost is no money
        "XAI_API_KEY": "simulated",  # a real one stays where it is
    }


def _grok() -> DemoEngine:
    if not _has_key():
        raise UsageProblem("LLM=grok needs a key: set XAI_API_KEY, or use LLM=simulator, which needs none.")
    budget = os.environ.get("ANALYZER_DAILY_BUDGET_USD", "5")
    name = f"Grok, with your key, for at most {budget} US dollars a day"
    again = [("export ANALYZER_ENGINE=llm", "let Grok judge again, with your key: it costs")]
    return DemoEngine(name, {"ANALYZER_ENGINE": "llm"}, "demo-grok", again)
