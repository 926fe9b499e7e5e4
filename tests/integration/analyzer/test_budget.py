"""The day's budget, with real processes, a real control log and a provider that counts what it charges."""

from schemas.conversation_received import ConversationReceived
from schemas.insight_produced import InsightProduced
from services.analyzer.engine import Task
from services.analyzer.llm.engine import open_llm_engine
from services.analyzer.llm.options import LlmOptions
from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import OwnProcess
from tests.integration.analyzer.conftest import StartApart
from tests.integration.analyzer.llm_fleet import llm_settings, reserved_usd, unsettled_usd
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import Running, running_simulator

FAST = Conduct(latency_seconds=0.05, seconds_per_output_token=0)


def _complaints(count: int) -> list[ConversationReceived]:
    return [
        a_conversation(f"conv-{number}", f"My parcel {number} is late again and nobody answers the phone")
        for number in range(count)
    ]


async def _waits_for_budget(analyzer: OwnProcess) -> bool:
    status, said = await analyzer.readiness()
    assert status == 200, said
    assert said["budget"]["used_up_for"] == ["live"], said["budget"]
    assert "ANALYZER_DAILY_BUDGET_USD" in said["checks"]["budget"].get("detail", ""), said
    return True


async def test_a_used_budget_holds_across_kills_and_nothing_is_dropped(world: World, start_apart: StartApart) -> None:
    daily = 0.12
    async with running_simulator(FAST) as running:
        variables = llm_settings(running, ANALYZER_DAILY_BUDGET_USD=str(daily), ANALYZER_MAX_BATCH="5")
        conversations = _complaints(1_500)
        await world.post(conversations)
        analyzer = await start_apart(ANALYZER_INSTANCE_ID="one", **variables)
        for kills in range(1, 3):
            await eventually(lambda wanted=8 * kills: _has_called(running, wanted), within_seconds=90)  # type: ignore[misc]
            await analyzer.kill()
            await analyzer.run()
        await eventually(lambda: _waits_for_budget(analyzer), within_seconds=120)
        spent = running.simulator.statistics.cost_usd
        assert 0 < spent <= daily
        assert await reserved_usd(world, daily) <= daily
        await analyzer.stop()
        leaked = await reserved_usd(world, daily) - running.simulator.statistics.cost_usd
        assert leaked <= await unsettled_usd(world) + 1e-6, "more leaked than the blocks of the killed"

        answered = sum(isinstance(outcome, InsightProduced) for outcome in await world.outcomes())
        assert 0 < answered < len(conversations)
        assert await world.uncommitted() > 0
        assert not await world.dead_letters()

        spent = running.simulator.statistics.cost_usd
        lowered = await start_apart(ANALYZER_INSTANCE_ID="one", **{**variables, "ANALYZER_DAILY_BUDGET_USD": "0.06"})
        await eventually(lambda: _waits_for_budget(lowered), within_seconds=90)
        await lowered.stop()
        assert running.simulator.statistics.cost_usd == spent, "a lowered budget forgot what was spent"

        variables["ANALYZER_DAILY_BUDGET_USD"] = "unlimited"
        await start_apart(ANALYZER_INSTANCE_ID="one", **variables)
        await eventually(lambda: world.has_outcomes_for(conversations), within_seconds=180)


async def test_a_budget_of_zero_makes_no_call(world: World, start_apart: StartApart) -> None:
    async with running_simulator(FAST) as running:
        await world.post(_complaints(3))
        analyzer = await start_apart(**llm_settings(running, ANALYZER_DAILY_BUDGET_USD="0"))
        await eventually(lambda: _waits_for_budget(analyzer), within_seconds=90)
        assert running.simulator.statistics.calls == 0


async def test_what_is_left_for_a_small_batch_is_spent_although_a_large_one_waits(
    world: World, start_apart: StartApart
) -> None:
    conversations = _complaints(40)
    tasks = [Task(one.conversation_id, one.content_hash, one.turns) for one in conversations]
    async with running_simulator(FAST) as running:
        async with open_llm_engine(LlmOptions(base_url=running.base_url)) as engine:
            daily = round(engine.most_usd(tasks[:3]), 6)
            assert engine.most_usd(tasks[:20]) > daily, "a batch as large as they start would be paid for"
        await world.post(conversations)
        variables = llm_settings(running, ANALYZER_DAILY_BUDGET_USD=str(daily))
        analyzer = await start_apart(**variables, ANALYZER_START_BATCH="20", ANALYZER_MIN_BATCH="20")

        async def is_used_up() -> bool:
            await _waits_for_budget(analyzer)
            assert len(await world.outcomes()) >= 3
            assert daily - await reserved_usd(world, daily) < engine.most_usd(tasks[:1]), "one more would fit"
            return True

        await eventually(is_used_up, within_seconds=120)
        assert 0 < running.simulator.statistics.cost_usd <= daily
        await analyzer.stop()
        assert not await world.dead_letters()


async def _has_called(running: Running, wanted: int) -> bool:
    assert running.simulator.statistics.calls >= wanted
    return True
