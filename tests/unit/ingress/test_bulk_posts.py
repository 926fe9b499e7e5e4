"""What a client sees that posts many conversations at once, on a fake Kafka."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from services.runtime.kafka import KafkaUnavailable
from services.runtime.publisher import RecordRefused
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import MANY, ONE, an_ingress

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


async def test_bytes_that_wait_are_bounded_too() -> None:
    publisher = FakePublisher(is_away=True)
    large = [{"text": "a" * 20_000}] * 45
    async with an_ingress(publisher, ack_timeout_seconds=0.01, max_waiting_bytes=1024 * 1024) as ingress:
        first = await ingress.post(MANY, json=large)
        second = await ingress.post(MANY, json=large)
        assert (first.json()["error"], second.json()["error"]) == ("kafka_unavailable", "overloaded")
        publisher.come_back()
        await asyncio.sleep(0)  # callbacks of the acknowledgements run
        assert (await ingress.post(MANY, json=large)).status_code == 202


async def test_each_conversation_of_many_has_its_own_result(publisher: FakePublisher) -> None:
    publisher.errors = {b"away": KafkaUnavailable("x"), b"large": RecordRefused("y")}
    posted = [
        {"external_id": "good", "text": "a"},
        {"text": ""},
        {"external_id": "away", "text": "b"},
        {"external_id": "large", "text": "c"},
    ]
    async with an_ingress(publisher) as ingress:
        answer = await ingress.post(MANY, json=posted)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["ingested"], body["enqueued"], body["rejected"]) == (2, 1, 2)
    assert [one["status"] for one in body["results"]] == ["accepted", "rejected", "unknown", "rejected"]
    assert [one["index"] for one in body["results"]] == [0, 1, 2, 3]
    assert body["results"][1]["error"]["errors"] == [{"field": "text", "problem": "must not be empty"}]
    assert body["results"][2]["conversation_id"] == "away"


async def test_lines_and_arrays_are_accepted_alike(ingress: httpx.AsyncClient, publisher: FakePublisher) -> None:
    posted: list[dict[str, Any]] = [{"text": "a"}, {"messages": [{"role": "bot", "content": "b"}]}]
    lines = "\n".join(json.dumps(one) for one in posted)
    for answer in (await ingress.post(MANY, json=posted), await ingress.post(MANY, content=lines, headers=NDJSON)):
        assert (answer.status_code, answer.json()["enqueued"]) == (202, 2)
    assert len({dict(record.headers)["ce_id"] for record in publisher.records}) == 4


async def test_a_conversation_is_the_same_whatever_stands_beside_it(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    posted: list[dict[str, Any]] = [
        {"external_id": "a", "text": "A text"},
        {"conversation_id": "b", "turns": [{"text": "One", "role": "bot"}]},
        {"conversation_id": "c", "turns": [{"text": "One"}, {"text": "and another", "role": "agent"}]},
        {"text": "No id"},
    ]
    for others in ([], [{"text": ""}]):
        results = (await ingress.post(MANY, json=[*posted, *others])).json()["results"][:4]
        ids = [one["conversation_id"] for one in results]
        assert ids[:3] == ["a", "b", "c"]
        assert re.fullmatch("conv_[0-9a-f]{32}", ids[3])
        assert [record.key for record in publisher.records[-4:]] == [one.encode() for one in ids]
    written = [{**json.loads(record.value or b""), "received_at": 0, "occurred_at": 0} for record in publisher.records]
    assert written[:3] == written[4:7]
    assert {**written[3], "conversation_id": 0} == {**written[7], "conversation_id": 0}
    assert [len(value["turns"]) for value in written[:4]] == [1, 1, 2, 1]


async def test_501_conversations_are_refused_and_nothing_is_enqueued(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    answer = await ingress.post(MANY, json=[{"text": "a"}] * 501)
    assert (answer.status_code, answer.json()["error"]) == (400, "too_many_conversations")
    assert answer.json()["errors"] == [{"field": "body", "problem": answer.json()["details"]}]
    assert publisher.records == []
    assert (await ingress.post(MANY, json=[{"text": "a"}] * 500)).json()["enqueued"] == 500


@pytest.mark.parametrize("body", ["[]", "[{}]", '[1,"a"]', '{"text":"a"}', "", "[{"])
async def test_many_that_hold_no_conversation_are_400(ingress: httpx.AsyncClient, body: str) -> None:
    answer = await ingress.post(MANY, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_schema")
    assert all(one["field"] and one["problem"] for one in answer.json()["errors"])


async def test_what_is_at_fault_as_a_whole_is_named_by_its_place(ingress: httpx.AsyncClient) -> None:
    refused = (await ingress.post(MANY, json=[7, {"text": ""}])).json()
    assert [one["field"] for one in refused["errors"]] == ["0", "1.text"]
    partly = (await ingress.post(MANY, json=[7, {"text": "a"}])).json()
    sentence = "A conversation is a JSON object"
    assert partly["results"][0]["error"]["errors"] == [{"field": "conversation", "problem": sentence}]


async def test_many_that_are_all_refused_beside_an_idempotency_key_say_why(ingress: httpx.AsyncClient) -> None:
    posted = [{"external_id": "a", "text": "b"}]
    answer = await ingress.post(MANY, json=posted, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], "Idempotency-Key" in problem["problem"]) == ("0", True)


async def test_many_of_which_none_is_acknowledged_are_503_with_their_ids() -> None:
    async with an_ingress(FakePublisher(is_away=True)) as ingress:
        answer = await ingress.post(MANY, json=[{"external_id": "a", "text": "x"}, {"text": ""}])
    assert answer.status_code == 503
    assert [one["status"] for one in answer.json()["results"]] == ["unknown", "rejected"]


async def test_an_idempotency_key_makes_the_same_request_the_same_conversation(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    key = {"Idempotency-Key": "order-4711"}
    posts = (("a", key), ("a, corrected", key), ("a", {"Idempotency-Key": "order-4712"}))
    answers = [await ingress.post(ONE, json={"text": text}, headers=headers) for text, headers in posts]
    one, again, other = (answer.json()["conversation_id"] for answer in answers)
    assert one == again != other
    bulk = [(await ingress.post(MANY, json=[{"text": "a"}, {"text": "a"}], headers=key)).json() for _ in range(2)]
    first, second = ([result["conversation_id"] for result in answer["results"]] for answer in bulk)
    assert first == second
    assert len({*first, one}) == 3


async def test_an_idempotency_key_beside_an_explicit_id_is_refused(ingress: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    answer = await ingress.post(ONE, json={"external_id": "a", "text": "b"}, headers=key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "external_id"
    bulk = await ingress.post(MANY, json=[{"external_id": "a", "text": "b"}, {"text": "c"}], headers=key)
    assert [one["status"] for one in bulk.json()["results"]] == ["rejected", "accepted"]


async def test_a_flood_of_problems_is_refused_whole_and_the_good_ones_are_accepted(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    bad = {"turns": [{"text": 1, "role": 2, "at": 3, "mood": 4}] * 30}
    results = (await ingress.post(MANY, json=[*[bad] * 20, {"text": "good"}])).json()["results"]
    details = [one["error"]["details"] for one in results if one["status"] == "rejected"]
    assert details[0].startswith("turns.0.role: ")
    assert details[-1] == "It is not valid, like much of this request; send it alone to hear why"
    assert (len(details), results[-1]["status"], len(publisher.records)) == (20, "accepted", 1)
