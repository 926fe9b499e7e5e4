"""What goes wrong, and what is done: engines that fail, a Kafka that goes away, a bug."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.analysis_failed import AnalysisFailed, FailureReason
from schemas.conversation_received import ConversationReceived
from schemas.dead_letter import DeadLetterReason
from schemas.insight_produced import InsightProduced
from services.analyzer.engine import (
    Answer,
    AnswerUnusable,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
    Finding,
    Refusal,
    Task,
)
from services.analyzer.offline.engine import OfflineEngine
from services.runtime.kafka import KafkaConnection
from services.runtime.server import UNEXPECTED_EXIT_CODE
from tests.builders import a_conversation
from tests.infrastructure.own_loop import run_in_own_loop
from tests.infrastructure.servers import KafkaServer, new_kafka, running
from tests.integration.analyzer.analyzers import InProcess, OwnProcess
from tests.integration.analyzer.conftest import StartHere
from tests.integration.analyzer.engines import FakeEngine, a_finding
from tests.integration.analyzer.world import World
from tests.waiting import eventually
from undertone.topics import apply


def _complaints(count: int, name: str = "conv") -> list[ConversationReceived]:
    return [a_conversation(f"{name}-{number}", f"Order {name} {number} never came!") for number in range(count)]


class _FailingEngine(FakeEngine):
    """Raises these errors, one a call, then answers."""

    def __init__(self, *errors: EngineError) -> None:
        super().__init__()
        self.errors = list(errors)

    def answer(self, batch: Sequence[Task]) -> Answer:
        if self.errors:
            raise self.errors.pop(0)
        return super().answer(batch)


async def test_an_outage_of_the_engine_fails_no_conversation(world: World, start_here: StartHere) -> None:
    engine = _FailingEngine(*[EngineUnavailable("503")] * 8)
    conversations = _complaints(3)
    await world.post(conversations)
    analyzer = await start_here(engine, backoff_seconds=0.05, breaker_cooldown_seconds=0.3)
    await eventually(lambda: world.has_outcomes_for(conversations))
    assert all(isinstance(outcome, InsightProduced) for outcome in await world.outcomes())
    assert (await analyzer.readiness())[1]["breaker"] == "closed"


async def test_a_provider_that_asks_for_a_pause_holds_the_whole_fleet(world: World, start_here: StartHere) -> None:
    limited, other = _FailingEngine(EngineLimited("429", hold_seconds=2)), FakeEngine()
    first = await start_here(limited)
    second = await start_here(other)
    for analyzer in (first, second):
        await eventually(analyzer.is_ready, within_seconds=90)
    await world.post([a_conversation(f"first-{number}", f"Hello, order {number} is gone") for number in range(1)])
    await world.post(_complaints(30))
    for analyzer in (first, second):
        await eventually(lambda of=analyzer: _is_held(of))  # type: ignore[misc]
    await eventually(lambda: world.has_outcomes_for(_complaints(30)))
    assert all(isinstance(outcome, InsightProduced) for outcome in await world.outcomes())


async def _is_held(analyzer: InProcess) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("holds", {}).get("live") == "429", said
    return True


async def test_a_wrong_key_stops_the_calls_and_readiness_says_why(world: World, start_here: StartHere) -> None:
    engine = _FailingEngine(EngineMisconfigured("the provider does not know the key"))
    await world.post(_complaints(5))
    analyzer = await start_here(engine)
    await eventually(lambda: _says_engine(analyzer, "does not know the key"))
    assert len(engine.started_at) == 1
    assert not await world.outcomes()
    assert not await world.dead_letters()


async def _says_engine(analyzer: InProcess, words: str) -> bool:
    status, said = await analyzer.readiness()
    assert status == 503
    assert words in str(said["checks"]["engine"]), said
    return True


class _PickyEngine(FakeEngine):
    """Refuses results whose conversation says `poison`, or fails calls that hold one."""

    def __init__(self, *, whole_call: bool, is_final: bool = False) -> None:
        super().__init__()
        self.whole_call = whole_call
        self.is_final = is_final

    def answer(self, batch: Sequence[Task]) -> Answer:
        if self.whole_call and any("poison" in task.turns[0].text for task in batch):
            raise AnswerUnusable("nothing could be read")
        return Answer(tuple(self._result(task) for task in batch))

    def _result(self, task: Task) -> Finding | Refusal:
        if "poison" in task.turns[0].text:
            return Refusal("evidence_not_found", "the quoted words do not occur", self.is_final)
        return a_finding(task)


@pytest.mark.parametrize(
    ("engine", "reason", "most_calls"),
    [
        (_PickyEngine(whole_call=False), FailureReason.INVALID_RESULT, 2),
        (_PickyEngine(whole_call=False, is_final=True), FailureReason.CONTENT_REFUSED, 1),
        (_PickyEngine(whole_call=True), FailureReason.LLM_ERROR, 6),
    ],
    ids=["invalid result", "refused content", "unusable answer"],
)
async def test_a_poison_conversation_fails_alone(
    world: World, start_here: StartHere, engine: _PickyEngine, reason: FailureReason, most_calls: int
) -> None:
    good = _complaints(7)
    poison = a_conversation("poison", "This is poison for the model, sorry.")
    await world.post([*good[:3], poison, *good[3:]])
    await start_here(engine, calls_per_second=0, start_batch=8, window_seconds=1.0)
    await eventually(lambda: world.has_outcomes_for([*good, poison]))
    found = dict(await world.outcomes_by_id())
    (failure,) = found.pop("poison")
    assert isinstance(failure, AnalysisFailed)
    assert failure.reason is reason
    assert all(isinstance(outcome, InsightProduced) for outcomes in found.values() for outcome in outcomes)
    ((_, letter),) = await eventually(world.dead_letters)
    assert letter.reason is DeadLetterReason(reason.value)
    assert max(engine.asked.values()) <= most_calls
    await eventually(world.is_all_acknowledged)


class _BuggyEngine(FakeEngine):
    def answer(self, batch: Sequence[Task]) -> Answer:
        raise ZeroDivisionError


async def test_a_bug_ends_the_process_before_anything_is_acknowledged(
    world: World, connection: KafkaConnection
) -> None:
    await world.post(_complaints(5))
    analyzer = await InProcess.start(connection, _BuggyEngine())
    assert analyzer.task is not None
    assert await asyncio.wait_for(analyzer.task, 30) == UNEXPECTED_EXIT_CODE
    assert await world.uncommitted() == 5


@pytest.fixture
async def own_kafka() -> AsyncIterator[KafkaServer]:
    """A Kafka that the test may stop."""
    with running(new_kafka()) as kafka:
        run_in_own_loop(apply(kafka.bootstrap_servers))
        yield kafka


async def test_a_kafka_that_goes_away_is_waited_for_and_nothing_is_lost(own_kafka: KafkaServer, tmp_path: Path) -> None:
    connection = KafkaConnection(own_kafka.bootstrap_servers)
    producer = AIOKafkaProducer(**connection.client_options(), acks="all")
    await producer.start()
    world = World(connection, producer)
    window = 200
    before = _complaints(10_000, "before")
    await world.post(before)  # all of them before it starts: else it may have kept up, and its window is never full
    analyzer = await OwnProcess.start(
        connection,
        tmp_path / "analyzer.log",
        ANALYZER_INSTANCE_ID="analyzer-1",
        ANALYZER_IN_FLIGHT_COUNT=str(window),
    )
    try:
        await eventually(lambda: _at_least(world, 50), within_seconds=90)
        await own_kafka.kill()
        await eventually(lambda: _is_full(analyzer, window), what="the window is full")
        await eventually(lambda: _is_not_ready(analyzer), within_seconds=40)
        await own_kafka.start()
        after = _complaints(50, "after")
        await world.post(after)
        await eventually(lambda: world.has_outcomes_for([*before, *after]), within_seconds=60)
        await eventually(world.is_all_acknowledged)
        await eventually(analyzer.is_ready, within_seconds=90)
        assert analyzer.process is not None
        assert analyzer.process.returncode is None, "it resumed by itself, without a restart"
    finally:
        await analyzer.kill()
        await world.close()


async def _is_full(analyzer: OwnProcess, window: int) -> bool:
    _, said = await analyzer.readiness()
    assert said.get("in_flight") == window, said
    return True


async def _at_least(world: World, count: int) -> bool:
    return len(await world.outcomes()) >= count


async def _is_not_ready(analyzer: OwnProcess) -> bool:
    return (await analyzer.readiness())[0] == 503


async def test_an_analyzer_started_before_kafka_waits_for_it(own_kafka: KafkaServer) -> None:
    await own_kafka.stop()
    connection = KafkaConnection(own_kafka.bootstrap_servers)
    analyzer = await InProcess.start(connection, OfflineEngine())
    try:
        await eventually(lambda: _answers(analyzer))
        await own_kafka.start()
        await eventually(analyzer.is_ready, within_seconds=90)
    finally:
        assert await analyzer.stop() == 0


async def _answers(analyzer: InProcess) -> bool:
    status, said = await analyzer.readiness()
    return status == 503 and "kafka" in said["checks"]
