"""What was paid for calls of which nothing could be believed is counted, to the digit of the provider's own count."""

from collections.abc import AsyncIterator

import httpx
import pytest

from schemas.analysis_failed import AnalysisFailed
from services.analyzer.llm.engine import open_llm_engine
from services.analyzer.llm.options import LlmOptions
from services.sink.app import create_app
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.builders import a_conversation
from tests.infrastructure import Infrastructure
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.world import World
from tests.integration.sink.running import running_sink, sink_settings
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.server import Running, running_simulator

CONDUCT = Conduct(
    latency_seconds=0.02,
    seconds_per_output_token=0,
    faults=(
        Fault(kind=FaultKind.MALFORMED, when="garbage"),
        Fault(kind=FaultKind.DECLINED, when="declined"),
        Fault(kind=FaultKind.NO_EVIDENCE, when="invented"),
        Fault(kind=FaultKind.MALFORMED, times=3),
        Fault(kind=FaultKind.TRUNCATED, probability=0.2, times=4),
        Fault(kind=FaultKind.MISSING, probability=0.3, share=1),
    ),
)


@pytest.fixture
async def provider() -> AsyncIterator[Running]:
    async with running_simulator(CONDUCT) as running:
        yield running


@pytest.fixture
def settings(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)


async def test_today_is_what_the_provider_counts_whatever_it_answered(
    world: World,
    provider: Running,
    start_here: StartHere,
    settings: SinkSettings,
) -> None:
    bad = [a_conversation(word, f"This is {word}, and nobody answers.") for word in ("garbage", "declined", "invented")]
    good = [a_conversation(f"conv-{number}", f"My parcel {number} is late again!") for number in range(40)]
    twins = [a_conversation(f"twin-{number}", "My parcel 7 is late again!") for number in range(3)]
    await world.post([*good[:20], *bad, *good[20:], *twins])
    async with open_llm_engine(LlmOptions(base_url=provider.base_url)) as engine:
        analyzer = await start_here(engine, max_batch=8, daily_budget_usd="unlimited", backoff_seconds=0.05)
        await eventually(lambda: world.has_outcomes_for([*good, *bad, *twins]), within_seconds=120)
        await eventually(world.is_all_acknowledged)
        await analyzer.stop()
    failed = [outcome for outcome in await world.outcomes() if isinstance(outcome, AnalysisFailed)]
    assert {"garbage", "declined", "invented"} <= {outcome.conversation_id for outcome in failed}
    # Who says the same is asked about once: the first carries it, the others nothing.
    assert {outcome.content_hash for outcome in failed if outcome.cost_usd} == {one.content_hash for one in failed}

    statistics = provider.simulator.statistics
    tokens = statistics.prompt_tokens + statistics.output_tokens
    async with running_sink(settings) as sink:
        app = create_app(settings, sink.resources, Role.API, None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://read-api") as client:

            async def is_counted() -> bool:
                today = (await client.get("/api/v1/status")).json()["today"]
                assert (today["tokens"], today["cost_usd"]) == (tokens, round(statistics.cost_usd, 9))
                return True

            await eventually(is_counted, within_seconds=60)
