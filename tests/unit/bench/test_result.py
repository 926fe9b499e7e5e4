import json

from undertone.bench.ledger import Audit, Ledger
from undertone.bench.recorder import Recorder
from undertone.bench.result import Result


def result_of(statuses: list[int], audit: Audit | None = None, ledger: Ledger | None = None) -> Result:
    recorder = Recorder(began_at=0.0)
    for status in statuses:
        recorder.answered(status, intended_at=0.0, sent_at=0.0, now=0.01)
    recorder.finish(0.5)
    return Result({"url": "http://127.0.0.1"}, 0.5, recorder, ledger or Ledger(), audit)


def test_accepting_limiting_and_being_overloaded_are_no_complaints() -> None:
    assert result_of([202, 429, 503], Audit(1, 0, 0, 0, 1)).complaints() == []


def test_any_other_answer_and_none_at_all_are_complaints() -> None:
    result = result_of([500, 202])
    result.recorder.unanswered("connection lost", intended_at=0, now=1)
    complaints = result.complaints()
    assert len(complaints) == 2
    assert "500" in complaints[0]
    assert "connection lost" in complaints[1]


def test_a_lost_202_is_a_complaint_that_names_it() -> None:
    (complaint,) = result_of([202], Audit(1, 1, 0, 0, 0, ("bench-1",))).complaints()
    assert "not in Kafka" in complaint
    assert "bench-1" in complaint


def test_contradictory_answers_are_a_complaint() -> None:
    assert len(result_of([202], ledger=Ledger(contradictions=2)).complaints()) == 1


def test_the_result_is_json_with_every_part() -> None:
    members = json.loads(json.dumps(result_of([202, 503], Audit(1, 0, 0, 0, 0)).as_json()))
    assert members["requests"]["answers"] == {"202": 1, "503": 1}
    assert members["latency_ms"]["accepted"]["count"] == 1
    assert members["latency_ms"]["all"]["count"] == 2
    assert members["in_kafka"]["missing"] == 0
    assert len(members["over_time"]) == 1
