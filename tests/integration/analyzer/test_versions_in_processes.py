"""Several versions in real processes: the limit that they share, kills, and a decision that must not expire."""

from collections import Counter
from collections.abc import Sequence

from schemas.conversation_received import ConversationReceived
from schemas.event import Lane
from schemas.insight_produced import InsightProduced
from services.analyzer.live_versions import REPEAT_SECONDS
from services.analyzer.offline.engine import OfflineEngine
from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import InProcess
from tests.integration.analyzer.conftest import StartApart, StartHere
from tests.integration.analyzer.llm_fleet import llm_settings, reserved_usd
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import Running, running_simulator

FAST = Conduct(latency_seconds=0.3, seconds_per_output_token=0)
VERSIONS = ("offline-2", "grok-4.3-p1", "another-p1")
DAILY_USD = 5.0


def _complaints(count: int) -> list[ConversationReceived]:
    return [
        a_conversation(f"conv-{number}", f"My parcel {number} is late again and nobody answers the phone")
        for number in range(count)
    ]


def _settings(simulator: Running, **more: str) -> dict[str, str]:
    return llm_settings(
        simulator,
        **{
            "ANALYZER_ENGINE": "offline",
            "ANALYZER_FURTHER_ENGINES": "grok-4.3,another",
            "ANALYZER_DAILY_BUDGET_USD": str(DAILY_USD),
            **more,
        },
    )


async def _is_complete(world: World, conversations: Sequence[ConversationReceived]) -> bool:
    found = {(outcome.conversation_id, outcome.analysis_version) for outcome in await world.outcomes()}
    wanted = {(conversation.conversation_id, version) for conversation in conversations for version in VERSIONS}
    assert found == wanted, f"{len(found)} of {len(wanted)}"
    return True


async def test_models_share_the_limit_and_the_budget_and_the_offline_engine_needs_neither(
    world: World, start_apart: StartApart
) -> None:
    limit, conversations = 8, _complaints(150)
    await world.decide(VERSIONS[1], VERSIONS[0], VERSIONS[2])
    async with running_simulator(FAST) as running:
        pace = {"ANALYZER_CALLS_PER_SECOND": str(limit), "ANALYZER_PACE": "0.7"}  # a busy machine bunches arrivals
        variables = _settings(running, ANALYZER_MAX_BATCH="10", **pace)
        await world.post(conversations)
        analyzer = await start_apart(ANALYZER_INSTANCE_ID="one", **variables)
        await eventually(lambda: _is_complete(world, conversations), within_seconds=120)
        await eventually(world.is_all_acknowledged)
        statistics = running.simulator.summary()
        assert statistics["calls"]["most_in_a_second"] <= limit
        assert len(await world.outcomes()) == len(conversations) * len(VERSIONS)
        costs: Counter[str] = Counter()
        for outcome in await world.outcomes():
            assert isinstance(outcome, InsightProduced)
            costs[outcome.analysis_version] += outcome.cost_usd > 0
        assert costs[VERSIONS[0]] == 0
        assert costs[VERSIONS[1]] == costs[VERSIONS[2]] == len(conversations)
        assert await analyzer.stop() == 0
        spent, reserved = running.simulator.statistics.cost_usd, await reserved_usd(world, DAILY_USD)
        assert spent <= reserved + 1e-6
        assert reserved <= DAILY_USD


async def test_a_kill_in_the_middle_loses_no_outcome_under_any_version(world: World, start_apart: StartApart) -> None:
    conversations = _complaints(250)
    await world.decide(VERSIONS[0], *VERSIONS[1:])
    async with running_simulator(FAST) as running:
        variables = _settings(running, ANALYZER_CALLS_PER_SECOND="20", ANALYZER_MAX_BATCH="5")
        await world.post(conversations)
        analyzer = await start_apart(ANALYZER_INSTANCE_ID="one", **variables)
        for kills in range(1, 3):
            await eventually(lambda wanted=15 * kills: _has_called(running, wanted), within_seconds=90)  # type: ignore[misc]
            await analyzer.kill()
            assert await world.uncommitted() > 0, "the kill came when everything was over"
            await analyzer.run()
        await eventually(lambda: _is_complete(world, conversations), within_seconds=120)
        await eventually(world.is_all_acknowledged)
        assert await analyzer.stop() == 0
        insights = [outcome for outcome in await world.outcomes() if isinstance(outcome, InsightProduced)]
        assert len({insight.insight_id for insight in insights}) == len(conversations) * len(VERSIONS)
        assert not await world.dead_letters()


async def _has_called(running: Running, wanted: int) -> bool:
    assert running.simulator.statistics.calls >= wanted
    return True


async def test_a_decision_of_a_day_ago_is_repeated_once_by_the_fleet_and_a_newer_one_outlives_an_old_copy(
    world: World, start_here: StartHere
) -> None:
    await world.keep_times_of_writers()
    await world.decide("offline-2", serial=6, age_seconds=3 * REPEAT_SECONDS)
    await world.decide("offline-2", "grok-9-p1", serial=7, age_seconds=2 * REPEAT_SECONDS)
    first = await start_here(OfflineEngine())
    second = await start_here(OfflineEngine())
    await eventually(lambda: _decisions_are(world, [6, 7, 7]), within_seconds=90)
    original, copy = (await world.decisions())[1:]
    assert copy == original
    await world.decide("offline-2", serial=8)
    await world.decide("offline-2", "grok-9-p1", serial=7)  # as of an instance that had not read the newer one yet
    await world.hold(600, lane=Lane.REPLAY)  # by which one sees that all before it was read
    for analyzer in (first, second):
        await eventually(lambda of=analyzer: _has_read_the_hold(of), within_seconds=90)  # type: ignore[misc]
        await eventually(analyzer.is_ready, within_seconds=90)
    conversations = _complaints(5)
    await world.post(conversations)
    await eventually(lambda: world.has_outcomes_for(conversations))
    await eventually(lambda: _decisions_are(world, [6, 7, 7, 8, 7]))


async def _has_read_the_hold(analyzer: InProcess) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("holds") == {"replay": "a test"}, said
    return True


async def _decisions_are(world: World, serials: list[int]) -> bool:
    found = [decision.serial for decision in await world.decisions()]
    assert found == serials
    return True
