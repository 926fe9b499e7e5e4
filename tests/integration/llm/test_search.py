"""The search driven by the engine against the simulator: a poison conversation fails alone, and few calls show it."""

import math
from collections.abc import Callable

import pytest

from services.analyzer.engine import AnswerTruncated, AnswerUnusable, EngineUnavailable, Finding, Task
from services.analyzer.llm.engine import LlmEngine
from services.analyzer.llm.search import BadConversationSearch
from tests.llm_tasks import a_task
from undertone.simulator.conduct import FaultKind
from undertone.simulator.server import Running

BATCH = [
    a_task(f"My order number {1000 + index} came late, it is a {word} problem.")
    for index, word in enumerate(("small", "big", "huge", "tiny", "new", "old", "strange", "common", "rare", "known"))
]
POISON = 6


async def analyzed(engine: LlmEngine, batch: list[Task]) -> tuple[dict[int, Finding], BadConversationSearch]:
    """What the analyzer does with a batch: every call that the search asks for, outages sent again."""
    search = BadConversationSearch(len(batch))
    findings: dict[int, Finding] = {}
    while call := search.next_call():
        assert not findings.keys() & set(call), "what has its finding is not sent, and paid for, again"
        try:
            answer = await engine.analyze([batch[position] for position in call])
        except EngineUnavailable:
            continue
        except AnswerTruncated:
            search.truncated()
        except AnswerUnusable as error:
            search.failed(error.reason)
        else:
            by_position = dict(zip(call, answer.results, strict=True))
            findings |= {at: result for at, result in by_position.items() if isinstance(result, Finding)}
            refused = {at: result for at, result in by_position.items() if not isinstance(result, Finding)}
            search.answered(
                {at: refusal.reason for at, refusal in refused.items()},
                final=[at for at, refusal in refused.items() if refusal.is_final],
            )
    return findings, search


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.MALFORMED,
        FaultKind.EMPTY,
        FaultKind.CONTENT_REFUSED,
        FaultKind.DECLINED,
        FaultKind.MISSING,
        FaultKind.INJECTED,
        FaultKind.OUT_OF_RANGE,
        FaultKind.NO_EVIDENCE,
    ],
)
async def test_a_poison_conversation_fails_alone(
    engine: LlmEngine, simulator: Running, misbehave: Callable[..., None], kind: FaultKind
) -> None:
    misbehave(kind, when=f"order number {1000 + POISON} ")

    findings, search = await analyzed(engine, BATCH)

    assert set(search.bad) == {POISON}
    assert set(findings) == set(range(len(BATCH))) - {POISON}
    assert simulator.simulator.statistics.calls <= 1 + 1 + math.ceil(math.log2(len(BATCH))) + 1


async def test_an_outage_in_the_middle_of_the_search_blames_nobody(
    engine: LlmEngine, misbehave: Callable[..., None]
) -> None:
    misbehave(FaultKind.SERVER_ERROR, probability=0.3)

    findings, search = await analyzed(engine, BATCH)

    assert search.bad == {}
    assert set(findings) == set(range(len(BATCH)))


async def test_truncated_answers_end_in_calls_that_are_small_enough(
    engine: LlmEngine, simulator: Running, misbehave: Callable[..., None]
) -> None:
    misbehave(FaultKind.TRUNCATED, last_call=3)

    findings, search = await analyzed(engine, BATCH)

    assert search.bad == {}
    assert set(findings) == set(range(len(BATCH)))
    assert simulator.simulator.statistics.calls <= 6


@pytest.mark.parametrize("kind", [FaultKind.SWAPPED, FaultKind.MISSING, FaultKind.FOREIGN, FaultKind.DUPLICATED])
async def test_a_model_that_stumbles_once_costs_one_more_call_and_nobody_fails(
    engine: LlmEngine, simulator: Running, misbehave: Callable[..., None], kind: FaultKind
) -> None:
    misbehave(kind, times=1, share=0.3)

    findings, search = await analyzed(engine, BATCH)

    assert search.bad == {}
    assert set(findings) == set(range(len(BATCH)))
    assert simulator.simulator.statistics.calls == 2
