"""What a client sees that posts one conversation, on a fake Kafka."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import RECEIVED
from services.runtime.kafka import KafkaUnavailable
from services.runtime.publisher import RecordRefused
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import MANY, ONE, an_ingress, conversations_in
from tests.unit.ingress.posts import NOW, good_posts

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


async def test_an_accepted_conversation_is_in_kafka_under_the_id_of_the_answer(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    answer = await ingress.post(ONE, json={"text": "Where is my parcel?"}, headers={"X-Correlation-Id": "shop-1"})
    assert answer.status_code == 202
    (conversation,) = conversations_in(publisher)
    assert answer.json() == {
        "status": "accepted",
        "conversation_id": conversation.conversation_id,
        "message": "Conversation queued for analysis",
    }
    assert answer.headers["location"].endswith(f"/api/v1/conversations/{conversation.conversation_id}")
    assert answer.headers["x-correlation-id"] == "shop-1"
    (record,) = publisher.records
    headers = dict(record.headers)
    assert record.key == conversation.conversation_id.encode()
    assert headers["undertone_correlation_id"] == b"shop-1"
    assert headers["ce_type"] == b"undertone.conversation.received.v1"
    assert headers["ce_source"] == b"/undertone/ingress"


async def test_a_trace_that_the_client_began_goes_on(ingress: httpx.AsyncClient, publisher: FakePublisher) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await ingress.post(ONE, json={"text": "a"}, headers={"traceparent": trace})
    await ingress.post(ONE, json={"text": "a"}, headers={"traceparent": "00-nonsense-01"})
    first, second = (dict(record.headers)["traceparent"].decode() for record in publisher.records)
    assert first == trace
    assert second.startswith("00-")
    assert len(second) == len(trace)


async def test_an_insane_correlation_id_is_replaced(ingress: httpx.AsyncClient) -> None:
    answer = await ingress.post(ONE, json={"text": "a"}, headers={"X-Correlation-Id": "a b\t<script>"})
    assert len(answer.headers["x-correlation-id"]) == 32


async def test_ids_made_here_sort_by_time(publisher: FakePublisher) -> None:
    now = NOW
    async with an_ingress(publisher, clock=lambda: now) as ingress:
        for _ in range(3):
            await ingress.post(ONE, json={"text": "a"})
            now += timedelta(milliseconds=1)
    ids = [conversation.conversation_id for conversation in conversations_in(publisher)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 3


async def test_a_refusal_is_a_problem_document_with_every_field(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    answer = await ingress.post(ONE, json={"turns": [{"role": "customer"}], "mood": 1})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["error"] == "invalid_schema"
    assert problem["details"] == "Missing required field: text"
    assert [one["field"] for one in problem["errors"]] == ["turns.0.text", "mood"]
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert publisher.records == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'"text"', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_at_fault_as_a_whole_is_named_as_the_field(
    ingress: httpx.AsyncClient, body: bytes
) -> None:
    answer = await ingress.post(ONE, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_schema")
    assert answer.json()["errors"] == [{"field": "body", "problem": answer.json()["details"]}]


@pytest.mark.parametrize("path", [ONE, MANY])
async def test_a_slash_at_the_end_of_the_path_changes_nothing(
    ingress: httpx.AsyncClient, publisher: FakePublisher, path: str
) -> None:
    answer = await ingress.post(f"{path}/", content=b'{"text":"a"}', headers=JSON if path == ONE else NDJSON)
    assert answer.status_code == 202
    assert len(publisher.records) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/x-ndjson"},
        {},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_other_types_and_compressed_bodies_are_415(ingress: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await ingress.post(ONE, content=b'{"text":"a"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
async def test_json_is_recognised_however_it_is_written(ingress: httpx.AsyncClient, media_type: str) -> None:
    answer = await ingress.post(ONE, content=b'{"text":"a"}', headers={"Content-Type": media_type})
    assert answer.status_code == 202


async def test_kafka_that_does_not_acknowledge_is_503_and_the_send_keeps_its_place() -> None:
    publisher = FakePublisher(is_away=True)
    async with an_ingress(publisher) as ingress:
        answer = await ingress.post(ONE, json={"external_id": "mine", "text": "a"})
        assert (answer.status_code, answer.json()["error"]) == (503, "kafka_unavailable")
        assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] > 0
        assert answer.json()["conversation_id"] == "mine"
        assert publisher.waiting == 1
        assert not any(future.cancelled() for future in publisher.unresolved)
        publisher.come_back()
        assert (await ingress.post(ONE, json={"text": "b"})).status_code == 202


async def test_when_too_much_waits_the_answer_is_503_at_once() -> None:
    publisher = FakePublisher(is_away=True)
    async with an_ingress(publisher, ack_timeout_seconds=0.01, max_waiting_sends=2) as ingress:
        for _ in range(2):
            await ingress.post(ONE, json={"text": "a"})
        answer = await ingress.post(ONE, json={"text": "one too many"})
        assert (answer.status_code, answer.json()["error"]) == (503, "overloaded")
        assert len(publisher.records) == 2


async def test_an_error_of_kafka_is_503_and_a_refused_record_413() -> None:
    publisher = FakePublisher(errors={b"away": KafkaUnavailable("x"), b"large": RecordRefused("y")})
    async with an_ingress(publisher) as ingress:
        statuses = [
            (await ingress.post(ONE, json={"external_id": key, "text": "a"})).status_code for key in ("away", "large")
        ]
    assert statuses == [503, 413]


async def test_a_malformed_idempotency_key_is_refused(ingress: httpx.AsyncClient) -> None:
    answer = await ingress.post(ONE, json={"text": "a"}, headers={"Idempotency-Key": "a" * 256})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


async def test_a_body_above_the_limit_is_413_whether_it_says_its_length_or_not(
    ingress: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    for content in (b"x" * (1024 * 1024 + 1), chunks()):
        answer = await ingress.post(ONE, content=content, headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
    assert publisher.records == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(posted=good_posts)
async def test_whatever_a_sender_may_write_is_accepted(
    ingress: httpx.AsyncClient, publisher: FakePublisher, posted: dict[str, Any]
) -> None:
    publisher.records.clear()
    assert (await ingress.post(ONE, json=posted)).status_code == 202
    assert (await ingress.post(MANY, json=[posted])).json()["enqueued"] == 1
    assert [len(one.turns) for one in conversations_in(publisher)] == [
        len(posted.get("turns") or posted.get("messages") or "a")
    ] * 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    path=st.sampled_from([ONE, MANY]),
    media_type=st.sampled_from(["application/json", "application/x-ndjson", "text/plain"]),
)
async def test_whatever_else_comes_is_refused_without_a_5xx(
    ingress: httpx.AsyncClient, publisher: FakePublisher, body: bytes, path: str, media_type: str
) -> None:
    publisher.records.clear()
    answer = await ingress.post(path, content=body, headers={"Content-Type": media_type})
    assert answer.status_code in {202, 400, 415}
    assert len(conversations_in(publisher)) == (answer.json().get("enqueued", 1) if answer.status_code == 202 else 0)
    assert RECEIVED.name in {record.topic for record in publisher.records} or answer.status_code != 202
