"""The engine against the simulator, over real HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from services.analyzer.llm.engine import LlmEngine, open_llm_engine
from services.analyzer.llm.options import LlmOptions
from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.server import Running, running_simulator

OpenEngine = Callable[..., AbstractAsyncContextManager[LlmEngine]]


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """One simulator for all tests: to stop one takes a fifth of a second."""
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Running) -> Running:
    """The simulator, without latency, without faults, and without a past."""
    running.simulator.reset(Conduct(latency_seconds=0, seconds_per_output_token=0))
    return running


@pytest.fixture
def misbehave(simulator: Running) -> Callable[..., None]:
    """Let one fault strike from now on: `misbehave(FaultKind.RESET, times=1)`."""

    def let(kind: FaultKind, **conditions: Any) -> None:
        fault = Fault(kind=kind, **conditions)
        simulator.simulator.conduct = simulator.simulator.conduct.model_copy(update={"faults": (fault,)})

    return let


@pytest.fixture
def open_engine(simulator: Running) -> OpenEngine:
    """An engine that calls the simulator; keywords change its options."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[LlmEngine]:
        options = LlmOptions(base_url=simulator.base_url, api_key=SecretStr("a-key"), timeout_seconds=5)
        async with open_llm_engine(replace(options, **changes)) as engine:
            yield engine

    return opened


@pytest.fixture
async def engine(open_engine: OpenEngine) -> AsyncIterator[LlmEngine]:
    async with open_engine() as opened:
        yield opened
