"""Bad results in an answer: each is refused, and none hurts its neighbours."""

from collections.abc import Callable

import pytest

from services.analyzer.engine import (
    AnswerTruncated,
    Refusal,
)
from services.analyzer.llm.engine import LlmEngine
from tests.integration.llm.answers import assert_quoted, findings_of, refusals_of
from tests.llm_tasks import TASKS, a_task
from undertone.simulator.conduct import FaultKind
from undertone.simulator.server import Running

Misbehave = Callable[..., None]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.MISSING, "missing_result"),
        (FaultKind.DUPLICATED, "duplicated_result"),
        (FaultKind.FOREIGN, "missing_result"),
        (FaultKind.OUT_OF_RANGE, "out_of_range"),
        (FaultKind.WRONG_TYPES, "wrong_type"),
        (FaultKind.OVER_LONG, "too_long"),
        (FaultKind.NO_EVIDENCE, "evidence_not_found"),
        (FaultKind.NOT_A_NUMBER, "out_of_range"),
        (FaultKind.BROKEN_RESULT, "malformed"),
        (FaultKind.INJECTED, "evidence_not_found"),
    ],
)
async def test_a_bad_result_is_refused_and_hurts_no_neighbour(
    engine: LlmEngine, misbehave: Misbehave, kind: FaultKind, reason: str
) -> None:
    misbehave(kind, when="parcel")

    answer = await engine.analyze(TASKS)

    assert [refusal.reason for refusal in refusals_of(answer)] == [reason]
    assert isinstance(answer.results[0], Refusal)
    assert not answer.results[0].is_final
    assert len(findings_of(answer)) == len(TASKS) - 1
    assert_quoted(TASKS, answer)
    found = findings_of(answer)
    assert sum(one.cost_usd for one in found) == pytest.approx(answer.usage.cost_usd), "what was paid for is counted"
    assert sum(one.input_tokens for one in found) == answer.usage.input_tokens


async def test_swapped_results_are_both_refused(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.SWAPPED, when="parcel")

    answer = await engine.analyze(TASKS)

    assert [refusal.reason for refusal in refusals_of(answer)] == ["evidence_of_another"] * 2


async def test_of_a_truncated_answer_the_complete_results_are_taken(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.TRUNCATED)

    answer = await engine.analyze(TASKS)

    assert findings_of(answer)
    assert {refusal.reason for refusal in refusals_of(answer)} == {"truncated"}


async def test_an_answer_truncated_before_its_first_result_asks_for_smaller_batches(
    engine: LlmEngine, misbehave: Misbehave
) -> None:
    misbehave(FaultKind.TRUNCATED)

    with pytest.raises(AnswerTruncated):
        await engine.analyze(TASKS[:1])


async def test_json_in_a_code_fence_is_read(engine: LlmEngine, misbehave: Misbehave) -> None:
    misbehave(FaultKind.IN_A_FENCE)

    assert len(findings_of(await engine.analyze(TASKS))) == len(TASKS)


async def test_twins_are_sent_once_and_one_within_another_waits(engine: LlmEngine, simulator: Running) -> None:
    tasks = [a_task("Where is my parcel?"), a_task("where is  my PARCEL?"), a_task("my parcel", "Where is my parcel?")]

    answer = await engine.analyze([*tasks[:2], a_task("Where is my parcel? I am so angry about it.")])

    assert [type(result).__name__ for result in answer.results] == ["Refusal", "Refusal", "Finding"]
    assert refusals_of(answer)[0].reason == "indistinguishable"
    twins = await engine.analyze(tasks[:2])
    assert [finding.evidence for finding in findings_of(twins)] == ["Where is my parcel?", "where is  my PARCEL?"]
    assert [finding.input_tokens > 0 for finding in findings_of(twins)] == [True, False]
    assert sum(simulator.simulator.statistics.batch_sizes.elements()) == 2
