"""Live traffic under several analysis versions: what the control log names, on a real Kafka."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from schemas.analysis_failed import AnalysisFailed
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped
from schemas.event import Lane, Revision
from schemas.insight_produced import InsightProduced, insight_id_of
from schemas.topics import RECEIVED, REPLAY
from services.analyzer.engine import Answer, EngineLimited, EngineMisconfigured, Refusal, Task
from services.analyzer.offline.engine import OfflineEngine
from tests.builders import a_conversation, an_envelope
from tests.integration.analyzer.analyzers import InProcess
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.engines import FakeEngine
from tests.integration.analyzer.world import World
from tests.waiting import eventually

FREE, PAID, OTHER = "offline-2", "fake-1", "fake-2"


def _complaints(count: int, name: str = "conv") -> list[ConversationReceived]:
    return [a_conversation(f"{name}-{number}", f"Order {name} {number} never came!") for number in range(count)]


async def _outcomes_under(
    world: World, versions: Collection[str], conversations: Sequence[ConversationReceived]
) -> bool:
    """Each conversation has one outcome under each version, and none under another."""
    wanted = {(conversation.conversation_id, version) for conversation in conversations for version in versions}
    ids = {conversation.conversation_id for conversation in conversations}
    found = Counter(
        (outcome.conversation_id, outcome.analysis_version)
        for outcome in await world.outcomes()
        if outcome.conversation_id in ids
    )
    assert found == Counter(wanted), f"{len(found)} of {len(wanted)}; {sorted(Counter(wanted) - found)[:3]} are missing"
    return True


async def test_a_live_record_gets_an_outcome_under_each_version_that_the_log_names(
    world: World, start_here: StartHere
) -> None:
    await world.decide(PAID, FREE)
    conversations = [*_complaints(30), a_conversation("thanks", "Thank you")]
    copies = _complaints(5, "asked")
    await world.post(conversations)
    await world.post(copies[:3], REPLAY, replace(an_envelope(), revision=Revision(1, 1), analysis_version=FREE))
    await world.post(copies[3:], REPLAY, replace(an_envelope(), revision=Revision(1, 1)))
    paid = FakeEngine()
    analyzer = await start_here(OfflineEngine(), paid, calls_per_second=0)
    await eventually(lambda: _outcomes_under(world, (PAID, FREE), conversations))
    await eventually(lambda: _outcomes_under(world, [FREE], copies[:3]))
    await eventually(lambda: _outcomes_under(world, [PAID], copies[3:]))
    await eventually(world.is_all_acknowledged)
    for outcome in await world.outcomes():
        if isinstance(outcome, InsightProduced):
            version = outcome.analysis_version
            assert outcome.insight_id == insight_id_of(outcome.conversation_id, outcome.content_hash, version)
            assert outcome.model == ("fake" if version == PAID else OfflineEngine.analysis_version)
    skips = [outcome for outcome in await world.outcomes() if isinstance(outcome, ConversationSkipped)]
    assert {skip.analysis_version for skip in skips} == {PAID, FREE}
    _, said = await analyzer.readiness()
    assert (said["analysis_version"], said["also_analysed_under"]) == (PAID, [FREE])
    assert said["engines"] == {FREE: "offline", PAID: "fake"}
    assert max(paid.asked.values()) == 1


async def test_a_record_is_acknowledged_when_its_slowest_version_is_done_and_keeps_the_other_from_nothing(
    world: World, start_here: StartHere
) -> None:
    await world.decide(FREE, PAID)
    conversations = _complaints(40)
    paid = FakeEngine()
    paid.gate.clear()
    await start_here(OfflineEngine(), paid, calls_per_second=0)
    await world.post(conversations)
    await eventually(lambda: _outcomes_under(world, [FREE], conversations))
    assert await world.uncommitted() == len(conversations)
    paid.gate.set()
    await eventually(lambda: _outcomes_under(world, (FREE, PAID), conversations))
    await eventually(world.is_all_acknowledged)


async def _holds_for(analyzer: InProcess, version: str) -> bool:
    status, said = await analyzer.readiness()
    assert status == 503, said
    for words in (version, "ANALYZER_FURTHER_ENGINES"):
        assert words in said["checks"]["versions"].get("detail", ""), said
        assert words in said["checks"]["lanes"].get("detail", ""), said
    assert said["blocked"].keys() == {"live"}
    return True


async def test_a_version_that_no_engine_has_holds_live_until_it_is_taken_back(
    world: World, start_here: StartHere
) -> None:
    await world.decide(FREE, "grok-9-p1")
    live, copies = _complaints(10, "live"), _complaints(10, "copy")
    await world.post(live)
    analyzer = await start_here(OfflineEngine())
    await eventually(lambda: _holds_for(analyzer, "grok-9-p1"), within_seconds=90)
    await world.post(copies, REPLAY, replace(an_envelope(), revision=Revision(1, 1)))
    await eventually(lambda: _outcomes_under(world, [FREE], copies))
    assert {outcome.lane for outcome in await world.outcomes()} == {Lane.REPLAY}
    assert await world.uncommitted(RECEIVED) == len(live)
    assert not await world.dead_letters()
    await world.decide(FREE)
    await eventually(lambda: _outcomes_under(world, [FREE], live))
    await eventually(analyzer.is_ready)
    await eventually(world.is_all_acknowledged)


async def test_what_was_accepted_before_a_decision_finishes_under_what_it_was_accepted_for(
    world: World, start_here: StartHere
) -> None:
    before, after = _complaints(20, "before"), _complaints(20, "after")
    old, new = FakeEngine(), FakeEngine(version=OTHER)
    old.gate.clear()
    analyzer = await start_here(old, new, calls_per_second=0, start_batch=2, max_batch=2)
    await world.post(before)
    await eventually(lambda: _in_flight_is(analyzer, len(before)), within_seconds=90)
    await world.decide(OTHER)
    await eventually(lambda: _is_active(analyzer, OTHER))
    await world.post(after)
    await eventually(lambda: _outcomes_under(world, [OTHER], after))
    old.gate.set()
    await eventually(lambda: _outcomes_under(world, [PAID], before))
    await eventually(world.is_all_acknowledged)


async def _in_flight_is(analyzer: InProcess, count: int) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("in_flight") == count, said
    return True


async def _is_active(analyzer: InProcess, version: str) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("analysis_version") == version, said
    return True


class _Limited(FakeEngine):
    """Its provider asks for a long pause at the first call."""

    def answer(self, batch: Sequence[Task]) -> Answer:
        if len(self.batches) == 1:
            raise EngineLimited("429", hold_seconds=600)
        return super().answer(batch)


async def test_a_pause_that_a_provider_asks_for_holds_no_engine_that_costs_nothing(
    world: World, start_here: StartHere
) -> None:
    await world.decide(FREE, PAID)
    first, later = _complaints(5, "first"), _complaints(30, "later")
    paid = _Limited()
    analyzer = await start_here(OfflineEngine(), paid, calls_per_second=0, start_batch=50)
    await world.post(first)
    await eventually(lambda: _is_held(analyzer), within_seconds=90)
    await world.post(later)
    await eventually(lambda: _outcomes_under(world, [FREE], [*first, *later]))
    assert len(paid.batches) == 1
    await world.hold(0)
    await eventually(lambda: _outcomes_under(world, (FREE, PAID), [*first, *later]))


async def _is_held(analyzer: InProcess) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("holds") == {"live": "429", "replay": "429"}, said
    assert said.get("held_until", {}).keys() == said["holds"].keys(), said
    return True


class _Unknown(FakeEngine):
    """The provider does not know its model."""

    def answer(self, batch: Sequence[Task]) -> Answer:
        raise EngineMisconfigured("unknown model")


async def test_a_trial_that_cannot_be_analysed_stops_live_when_the_window_is_full_and_its_end_lets_it_go_on(
    world: World, start_here: StartHere
) -> None:
    await world.decide(FREE, PAID)
    conversations = _complaints(120)
    await world.post(conversations)
    analyzer = await start_here(OfflineEngine(), _Unknown(), in_flight_count=50)
    await eventually(lambda: _in_flight_is(analyzer, 50), within_seconds=90)
    await eventually(lambda: _names_the_engine(analyzer))
    assert await world.uncommitted() == len(conversations)
    await world.decide(FREE)
    await eventually(lambda: _outcomes_under(world, [FREE], conversations))
    await eventually(world.is_all_acknowledged)


async def _names_the_engine(analyzer: InProcess) -> bool:
    status, said = await analyzer.readiness()
    assert status == 503, said
    assert said["checks"]["engine"]["detail"] == f"{PAID}: unknown model", said
    return True


class _Refusing(FakeEngine):
    """Finds every content impossible."""

    def answer(self, batch: Sequence[Task]) -> Answer:
        return Answer(tuple(Refusal("content_filter", f"refused by {self.analysis_version}", True) for _ in batch))


async def test_a_conversation_that_fails_under_two_versions_is_one_dead_letter_and_two_failures(
    world: World, start_here: StartHere
) -> None:
    await world.decide(PAID, OTHER, FREE)
    conversations = _complaints(1)
    await world.post(conversations)
    await start_here(_Refusing(), _Refusing(version=OTHER), OfflineEngine(), calls_per_second=0)
    await eventually(lambda: _outcomes_under(world, (PAID, OTHER, FREE), conversations))
    await eventually(world.is_all_acknowledged)
    kinds = {outcome.analysis_version: type(outcome) for outcome in await world.outcomes()}
    assert kinds == {PAID: AnalysisFailed, OTHER: AnalysisFailed, FREE: InsightProduced}
    letters = [letter for _, letter in await world.dead_letters()]
    assert len({letter.id for letter in letters}) == 1
    assert all(letter.detail.startswith(("under fake-1: ", "under fake-2: ")) for letter in letters), letters
