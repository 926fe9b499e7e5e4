"""kill -9 in every phase of a batch, one after the other, under a budget and with a provider that counts."""

import signal

from schemas.conversation_received import ConversationReceived
from schemas.insight_produced import InsightProduced
from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import OwnProcess
from tests.integration.analyzer.conftest import StartApart
from tests.integration.analyzer.dies_in_a_phase import PHASES
from tests.integration.analyzer.llm_fleet import llm_settings, reserved_usd, unsettled_usd
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import running_simulator

CONDUCT = Conduct(latency_seconds=0.3, seconds_per_output_token=0)
DAILY_USD = 5.0


def _complaints(count: int) -> list[ConversationReceived]:
    return [
        a_conversation(f"conv-{number}", f"My parcel {number} is late again and nobody answers the phone")
        for number in range(count)
    ]


async def test_a_kill_in_any_phase_of_a_batch_loses_nothing_and_leaks_no_budget(
    world: World, start_apart: StartApart
) -> None:
    conversations = _complaints(200)
    await world.post(conversations)
    async with running_simulator(CONDUCT) as running:
        variables = llm_settings(
            running,
            ANALYZER_INSTANCE_ID="one",
            ANALYZER_CALLS_PER_SECOND="25",
            ANALYZER_MAX_BATCH="5",
            ANALYZER_DAILY_BUDGET_USD=str(DAILY_USD),
        )
        module = "tests.integration.analyzer.dies_in_a_phase"
        analyzer = await start_apart(module=module, DIES=f"{PHASES[0]}:3", **variables)
        await _dies(analyzer)
        for phase in PHASES[1:]:
            analyzer.environment["DIES"] = f"{phase}:3"
            await analyzer.run()
            await _dies(analyzer)
        assert await world.uncommitted() > 0, "the last kill came when everything was over"
        del analyzer.environment["DIES"]
        await analyzer.run()
        await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=120)
        await eventually(world.is_all_acknowledged)
        assert await analyzer.stop() == 0
        insights = [outcome for outcome in await world.outcomes() if isinstance(outcome, InsightProduced)]
        assert len(insights) == len(await world.outcomes())
        assert len({insight.insight_id for insight in insights}) == len(conversations)
        assert not await world.dead_letters()
        spent, reserved = running.simulator.statistics.cost_usd, await reserved_usd(world, DAILY_USD)
        assert spent <= reserved <= DAILY_USD
        assert reserved - spent <= await unsettled_usd(world) + 1e-6, "more leaked than the blocks of the killed"


async def _dies(analyzer: OwnProcess) -> None:
    async def is_dead() -> bool:
        assert analyzer.process is not None
        assert analyzer.process.returncode is not None, "it lives"
        return True

    await eventually(is_dead, within_seconds=90)
    assert analyzer.process is not None
    assert analyzer.process.returncode == -signal.SIGKILL, analyzer.log.read_text()[-2_000:]
