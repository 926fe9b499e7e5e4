"""After a hold one instance asks whether calls are welcome again; the others wait for its word."""

from tests.builders import a_conversation
from tests.integration.analyzer.analyzers import both_own_half
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.engines import FakeEngine
from tests.integration.analyzer.world import World
from tests.waiting import eventually


async def test_after_a_hold_one_call_goes_out_until_it_is_answered(world: World, start_here: StartHere) -> None:
    engines = [FakeEngine(), FakeEngine()]
    for engine in engines:
        engine.gate.clear()
    analyzers = [await start_here(engine, drain_seconds=2) for engine in engines]
    await both_own_half(*analyzers, within_seconds=30)
    await world.hold(2.0)
    conversations = [a_conversation(f"conv-{number}", f"Order {number} never came!") for number in range(40)]
    await world.post(conversations)

    async def one_call() -> bool:
        assert sum(engine.running for engine in engines) == 1
        return True

    await eventually(one_call)
    prober = next(engine for engine in engines if engine.running)
    other = next(engine for engine in engines if engine is not prober)
    owners = [0 in (await analyzer.readiness())[1]["partitions"]["live"] for analyzer in analyzers]
    assert owners[engines.index(prober)], "the owner of partition 0 asks"
    other.gate.set()
    for _ in range(3):  # it could have called since: it looks at least twice a second
        await world.hold(0.0, lane="replay")
        assert not other.started_at
        assert len(prober.started_at) == 1
    prober.gate.set()
    await eventually(lambda: world.has_outcomes_for(conversations))
    assert other.started_at
