import json
from collections.abc import Sequence
from typing import Any

import pytest

from undertone.bench.ledger import Audit, Ledger, count_ids
from undertone.bench.posts import Post


def post(*ids: str) -> Post:
    return Post(b"", ids, is_bulk=len(ids) > 1)


def accepted(identifier: str) -> bytes:
    return json.dumps({"status": "accepted", "conversation_id": identifier}).encode()


def bulk(results: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"results": results}).encode()


def test_a_202_in_kafka_once_is_clean() -> None:
    ledger = Ledger()
    ledger.answered(post("a"), 202, accepted("a"))
    assert ledger.audit({"a": 1}) == Audit(1, 0, 0, 0, 0)
    assert ledger.audit({"a": 1}).is_clean


@pytest.mark.parametrize(
    ("stored", "expected"), [({}, Audit(1, 1, 0, 0, 0, ("a",))), ({"a": 2}, Audit(1, 0, 1, 0, 0, ("a",)))]
)
def test_a_202_that_is_missing_or_there_twice_is_found(stored: dict[str, int], expected: Audit) -> None:
    ledger = Ledger()
    ledger.answered(post("a"), 202, accepted("a"))
    assert ledger.audit(stored) == expected
    assert not ledger.audit(stored).is_clean


def test_a_refused_conversation_in_kafka_is_found() -> None:
    ledger = Ledger()
    ledger.answered(post("a"), 429, b"")
    audit = ledger.audit({"a": 1})
    assert audit.refused_but_stored == 1
    assert not audit.is_clean


def test_a_503_or_no_answer_leaves_both_possible() -> None:
    ledger = Ledger()
    ledger.answered(post("a"), 503, b"")
    ledger.unanswered(post("b"))
    assert ledger.audit({"a": 1}) == Audit(0, 0, 0, 0, 1)
    assert ledger.audit({"a": 1}).is_clean


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"{}", accepted("other"), accepted("")])
def test_a_202_that_does_not_name_the_conversation_is_a_contradiction(body: bytes) -> None:
    ledger = Ledger()
    ledger.answered(post("a"), 202, body)
    assert ledger.contradictions == 1
    assert not ledger.accepted


def test_an_id_made_by_the_server_may_not_be_given_twice() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.answered(Post(b"", ()), 202, accepted("conv_1"))
    assert (len(ledger.accepted), ledger.contradictions) == (1, 1)


def test_a_bulk_answer_is_noted_for_each_conversation() -> None:
    ledger = Ledger()
    results = [
        {"index": 0, "status": "accepted", "conversation_id": "a"},
        {"index": 1, "status": "rejected"},
        {"index": 2, "status": "unknown", "conversation_id": "c"},
    ]
    ledger.answered(post("a", "b", "c"), 202, bulk(results))
    assert (ledger.accepted, ledger.refused, ledger.unknown) == ({"a"}, {"b"}, {"c"})


def test_a_bulk_answer_of_another_length_is_a_contradiction() -> None:
    ledger = Ledger()
    ledger.answered(post("a", "b"), 202, bulk([{"index": 0, "status": "accepted", "conversation_id": "a"}]))
    assert ledger.contradictions == 1


def test_a_bulk_request_may_hold_one_conversation() -> None:
    ledger = Ledger()
    results = [{"index": 0, "status": "accepted", "conversation_id": "a"}]
    ledger.answered(Post(b"", ("a",), is_bulk=True), 202, bulk(results))
    assert ledger.accepted == {"a"}


def test_ids_are_counted_by_the_keys_of_records() -> None:
    assert count_ids([b"a", b"b", b"a", None]) == {"a": 2, "b": 1}
