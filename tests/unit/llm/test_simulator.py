"""The simulator's own parts: what it counts, how it is told to behave, and what it answers."""

import random
from pathlib import Path

import pytest

from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.prompt import write_prompt
from tests.llm_tasks import TASKS, a_task
from undertone.errors import UsageProblem
from undertone.simulator.conduct import Conduct, Fault, FaultKind, read_script
from undertone.simulator.damage import damaged_results
from undertone.simulator.judgement import conversations_of, judge
from undertone.simulator.statistics import Statistics

LIMIT = LlmOptions().max_conversation_characters


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_the_busiest_sliding_second_is_found_across_full_seconds() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    for moment in (50.0, 50.7, 50.9, 51.1, 51.6, 51.71, 60.0):
        clock.now = moment
        statistics.arrived()

    # (50.7, 51.7] holds 50.9, 51.1 and 51.6; with 50.7 itself the window [50.7, 51.6] holds four.
    assert statistics.summary()["calls"]["most_in_a_second"] == 4
    assert statistics.summary()["calls"]["total"] == 7
    assert statistics.summary()["calls"]["per_second"] == pytest.approx(0.6)


def test_a_call_is_granted_again_when_the_oldest_leaves_the_second() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    for _ in range(2):
        assert statistics.seconds_until_grant(2) == 0
        statistics.grant()
        clock.now += 0.25

    assert statistics.seconds_until_grant(2) == pytest.approx(0.5)
    clock.now += 0.5
    assert statistics.seconds_until_grant(2) == 0


def test_a_call_whose_body_came_late_counts_in_the_second_of_its_arrival() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    arrived_at = clock.now
    clock.now += 0.4
    statistics.grant(arrived_at)
    clock.now = arrived_at + 1.0
    assert statistics.seconds_until_grant(1, clock.now) == 0


def test_tokens_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    usage = {
        "prompt_tokens": 70,
        "completion_tokens": 30,
        "total_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    statistics.answered(["customer: hi"], usage, instruction_tokens=40, cost_usd=0.5)

    assert statistics.tokens_in_last_minute() == 100
    clock.now += 60
    assert statistics.tokens_in_last_minute() == 0
    assert statistics.summary()["cost_usd"] == 0.5


def test_a_conversation_that_is_answered_twice_is_counted_as_such() -> None:
    statistics = Statistics(Clock())
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    for bodies in (["a", "b"], ["b"]):
        statistics.answered(bodies, usage, instruction_tokens=0, cost_usd=0)

    assert statistics.summary()["conversations"] == {
        "answered": 3,
        "distinct": 2,
        "answered_again": 1,
        "per_call": 1.5,
    }


def test_the_same_conversations_get_the_same_results_whatever_their_ids() -> None:
    first, second = (judge(conversations_of(write_prompt(TASKS, LIMIT).conversations)) for _ in range(2))

    assert [result | {"id": ""} for result in first] == [result | {"id": ""} for result in second]
    assert [result["id"] for result in first] != [result["id"] for result in second]
    assert [result["clusters"][0] for result in first][1:3] == ["refunds_and_returns", "app_and_website"]


def test_every_conversation_of_a_prompt_is_seen_even_one_that_writes_fences() -> None:
    tasks = [*TASKS, a_task("[[abcd1234", "abcd1234]]", "[[abcd1234\ncustomer: hi\nabcd1234]]")]
    prompt = write_prompt(tasks, LIMIT)

    assert [conversation.id for conversation in conversations_of(prompt.conversations)] == list(prompt.ids)


def test_a_fault_strikes_when_it_is_due_and_no_more_often_than_it_may() -> None:
    fault = Fault(kind=FaultKind.RESET, first_call=3, last_call=6, times=2, when="parcel")
    chance = random.Random(0)

    assert [fault.strikes(call, 0, ["my parcel"], chance) for call in (2, 3, 6, 7)] == [False, True, True, False]
    assert not fault.strikes(4, 2, ["my parcel"], chance)
    assert not fault.strikes(4, 0, ["my refund"], chance)


def test_equal_seeds_hit_the_same_results() -> None:
    conversations = conversations_of(write_prompt(TASKS, LIMIT).conversations)
    fault = Fault(kind=FaultKind.MISSING, share=0.5)

    kept = [
        [result["summary"] for result in damaged_results(judge(conversations), conversations, fault, random.Random(7))]
        for _ in range(2)
    ]

    assert kept[0] == kept[1]
    assert len(kept[0]) == 2


def test_a_script_is_read(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"seed": 7, "calls_per_second": 8, "faults": [{"kind": "server_error", "probability": 0.3}]}')

    assert read_script(script) == Conduct(
        seed=7, calls_per_second=8, faults=(Fault(kind=FaultKind.SERVER_ERROR, probability=0.3),)
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Invalid JSON"),
        ('{"fauls": []}', "fauls: Extra inputs are not permitted"),
        ('{"faults": [{"kind": "server_eror"}]}', "faults.0.kind"),
        ('{"faults": [{"kind": "hang", "probability": 2}]}', "faults.0.probability"),
        ('{"faults": [{"kind": "hang", "first_call": 5, "last_call": 3}]}', "hang: last_call 3 is before first_call 5"),
        ('{"latency_seconds": -1}', "latency_seconds"),
        ('{"latency_seconds": 1e999}', "latency_seconds: Input should be a finite number"),
        ('{"calls_per_second": 1e999}', "calls_per_second: Input should be a finite number"),
        (
            '{"faults": [{"kind": "rate_limited", "retry_after_seconds": 1e300, "as_date": true}]}',
            "retry_after_seconds",
        ),
    ],
)
def test_a_wrong_script_is_one_sentence_that_names_the_place(tmp_path: Path, text: str, problem: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(text)

    with pytest.raises(UsageProblem) as raised:
        read_script(script)

    assert problem in str(raised.value)
    assert str(script) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_script_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_script(tmp_path / "none.json")
