"""From records to outcomes, on a real Kafka."""

from collections.abc import Sequence
from dataclasses import replace

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.codec import encode_value
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.dead_letter import DeadLetterReason
from schemas.event import Lane, Revision
from schemas.insight_produced import InsightProduced, Path, insight_id_of
from schemas.outcome import Outcome
from schemas.topics import ANALYZED, RECEIVED, REPLAY
from services.analyzer.engine import Answer, Task
from services.analyzer.offline.engine import OfflineEngine
from services.analyzer.outcomes import SOURCE
from tests.builders import a_conversation, an_envelope
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.engines import FakeEngine, a_finding
from tests.integration.analyzer.world import World
from tests.waiting import eventually


def _complaints(count: int, name: str = "conv") -> list[ConversationReceived]:
    return [
        a_conversation(f"{name}-{number}", f"My parcel number {number} is late and nobody answers me!")
        for number in range(count)
    ]


async def test_every_conversation_gets_its_insight_and_is_acknowledged(world: World, start_here: StartHere) -> None:
    conversations = _complaints(300)
    await world.post(conversations)
    await start_here(OfflineEngine())
    await eventually(lambda: world.has_outcomes_for(conversations))
    await eventually(world.is_all_acknowledged)
    outcomes = await world.outcomes()
    assert len(outcomes) == 300
    for outcome in outcomes:
        assert isinstance(outcome, InsightProduced)
        assert outcome.insight_id == insight_id_of(outcome.conversation_id, outcome.content_hash, "offline-2")
        assert (outcome.lane, outcome.path) == (Lane.LIVE, Path.OFFLINE)
        assert outcome.sentiment_score < 0
    for record in await world.records(ANALYZED):
        headers = dict(record.headers)
        assert headers["ce_source"].decode() == SOURCE
        assert record.key is not None


async def test_an_outcome_continues_the_story_and_the_trace_of_its_record(world: World, start_here: StartHere) -> None:
    envelope = an_envelope()
    await world.post(_complaints(1), envelope=envelope)
    await start_here(OfflineEngine())
    (record,) = await eventually(lambda: world.records(ANALYZED))
    headers = {name: content.decode() for name, content in record.headers}
    assert headers["undertone_correlation_id"] == envelope.correlation_id
    assert headers["traceparent"][:36] == envelope.traceparent[:36]
    assert headers["traceparent"] != envelope.traceparent


async def test_a_revision_is_the_brokers_place_and_a_copy_keeps_its_originals(
    world: World, start_here: StartHere
) -> None:
    await world.post([a_conversation("fresh", "The app crashes whenever I open it.")])
    copied = replace(an_envelope(), revision=Revision(1_600_000_000_000, 7), replay_id="replay-1")
    await world.post([a_conversation("copy", "The delivery never came, I want my money.")], REPLAY, copied)
    await start_here(OfflineEngine())
    by_id = await eventually(lambda: _complete(world, 2))
    (received,) = await world.records(RECEIVED)
    assert by_id["fresh"].revision == Revision(received.timestamp_ms, received.offset)
    assert by_id["copy"].revision == Revision(1_600_000_000_000, 7)
    assert by_id["copy"].lane is Lane.REPLAY


async def _complete(world: World, count: int) -> dict[str, InsightProduced]:
    found = {outcome.conversation_id: outcome for outcome in await world.outcomes()}
    assert len(found) == count
    return {name: outcome for name, outcome in found.items() if isinstance(outcome, InsightProduced)}


async def test_what_needs_no_engine_is_skipped_and_says_by_which_rule(world: World, start_here: StartHere) -> None:
    engine = FakeEngine()
    await world.post([a_conversation("thanks", "Thank you"), a_conversation("link", "https://example.org/x")])
    await start_here(engine)
    by_id = await eventually(lambda: _skipped(world))
    assert by_id["thanks"].reason is SkipReason.BOILERPLATE
    assert by_id["link"].reason is SkipReason.ONLY_LINKS
    assert not engine.asked
    await eventually(world.is_all_acknowledged)


async def _skipped(world: World) -> dict[str, ConversationSkipped]:
    found = {o.conversation_id: o for o in await world.outcomes() if isinstance(o, ConversationSkipped)}
    assert len(found) == 2
    return found


async def test_undecodable_records_are_put_aside_untouched_and_hurt_nobody(world: World, start_here: StartHere) -> None:
    good = _complaints(20)
    expected = {
        b"{ no json": DeadLetterReason.UNDECODABLE,
        b"": DeadLetterReason.UNDECODABLE,
        b"no key": DeadLetterReason.UNDECODABLE,
        b"\xff\xfe": DeadLetterReason.UNDECODABLE,
        encode_value(a_conversation("mine")): DeadLetterReason.KEY_MISMATCH,
    }
    await world.write(RECEIVED, b"x", b"{ no json")
    await world.write(RECEIVED, b"tombstone", None)
    await world.write(RECEIVED, None, b"no key")
    await world.post(good[:10])
    await world.write(REPLAY, b"y", b"\xff\xfe")
    await world.write(RECEIVED, b"another key", encode_value(a_conversation("mine")))
    await world.post(good[10:])
    await start_here(OfflineEngine())
    await eventually(lambda: world.has_outcomes_for(good))
    await eventually(world.is_all_acknowledged)
    await eventually(lambda: _reasons_are(world, expected))


async def _reasons_are(world: World, expected: dict[bytes, DeadLetterReason]) -> bool:
    found = {record.value or b"": letter.reason for record, letter in await world.dead_letters()}
    assert found == expected
    return True


async def test_equal_content_is_asked_for_once_and_everybody_gets_an_insight(
    world: World, start_here: StartHere
) -> None:
    engine = FakeEngine(seconds=0.3)
    same = [a_conversation(f"same-{number}", "The driver left my parcel in the rain.") for number in range(20)]
    await world.post(same[:10])
    await start_here(engine, calls_per_second=0)
    await eventually(lambda: engine.asked)
    await world.post(same[10:])
    await eventually(lambda: world.has_outcomes_for(same))
    assert sum(engine.asked.values()) == 1
    paths = sorted(o.path.value for o in await world.outcomes() if isinstance(o, InsightProduced))
    assert paths == ["cache"] * 19 + ["llm"]
    assert sum(o.input_tokens for o in await world.outcomes() if isinstance(o, InsightProduced)) == 10


async def test_only_the_newest_of_several_waiting_revisions_is_analysed(world: World, start_here: StartHere) -> None:
    engine = FakeEngine()
    revisions = [a_conversation("conv", f"The parcel is {days} days late by now.") for days in range(1, 6)]
    await world.post(revisions)
    await start_here(engine, window_seconds=1.0)
    outcomes = await eventually(lambda: _all_of(world, "conv", 5))
    newest = max(outcomes, key=lambda outcome: outcome.revision)
    assert isinstance(newest, InsightProduced)
    assert newest.content_hash == revisions[-1].content_hash
    others = [outcome for outcome in outcomes if outcome is not newest]
    assert {o.reason for o in others if isinstance(o, ConversationSkipped)} == {SkipReason.SUPERSEDED}
    assert list(engine.asked) == [revisions[-1].content_hash]


async def _all_of(world: World, conversation_id: str, count: int) -> Sequence[Outcome]:
    found = (await world.outcomes_by_id()).get(conversation_id, [])
    assert len(found) == count
    return found


async def test_a_conversation_of_nearly_four_mebibytes_is_analysed(world: World, start_here: StartHere) -> None:
    large = a_conversation("large", *[("I am very unhappy. " * 1_050)[:19_900] for _ in range(200)])
    assert len(encode_value(large)) > 3.7 * 2**20
    after = a_conversation("after", "The invoice is wrong again.")
    await world.post([large, after])
    await start_here(OfflineEngine())
    await eventually(lambda: world.has_outcomes_for([large, after]))
    await eventually(world.is_all_acknowledged)


class _VerboseEngine(FakeEngine):
    """Keeps a raw completion of 16 KiB."""

    def answer(self, batch: Sequence[Task]) -> Answer:
        return Answer(tuple(a_finding(task, completion="x" * 16_384) for task in batch))


async def test_an_outcome_that_kafka_refuses_becomes_a_dead_letter_and_a_failure(
    world: World, start_here: StartHere
) -> None:
    await world.limit_record_bytes(ANALYZED, 8_192)
    conversation = a_conversation("conv", "The parcel is late.")
    await world.post([conversation])
    await start_here(_VerboseEngine())
    (outcome,) = await eventually(world.outcomes)
    assert isinstance(outcome, AnalysisFailed)
    assert outcome.reason is FailureReason.UNPUBLISHABLE
    ((buried, letter),) = await world.dead_letters()
    assert letter.reason is DeadLetterReason.UNPUBLISHABLE
    assert buried.value == encode_value(conversation)
    await eventually(world.is_all_acknowledged)
