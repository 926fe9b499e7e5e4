"""Dead letters over HTTP: groups, pages, one with its bytes, and decisions with the name of who made them."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from schemas.dead_letter import REDRIVEN_FROM, DeadLetterReason
from schemas.topics import RECEIVED
from services.runtime.api_keys import new_key
from services.sink.app import create_app
from services.sink.resources import Resources, open_resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from services.sink.sql import redrives as sql
from tests.infrastructure import Infrastructure
from tests.integration.sink.letters import FAILED_AT, a_letter, keep, read_topic
from tests.integration.sink.running import sink_settings

PATH = "/api/v1/dead-letters"
EVERYTHING = {"everything": True}


@pytest.fixture
def settings(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)


@pytest.fixture
async def resources(settings: SinkSettings) -> AsyncIterator[Resources]:
    async with open_resources(settings) as opened:
        yield opened


@pytest.fixture
async def client(settings: SinkSettings, resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings, resources) as opened:
        yield opened


def client_of(settings: SinkSettings, resources: Resources) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings, resources, Role.API, None), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://read-api")


async def get(client: httpx.AsyncClient, path: str = "", **parameters: Any) -> Any:
    answer = await client.get(PATH + path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def decide(client: httpx.AsyncClient, what: str, selection: Any, **members: Any) -> Any:
    answer = await client.post(f"{PATH}/{what}", json={"selection": selection, **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_failed_alike_is_one_group_with_its_count_and_its_times(
    client: httpx.AsyncClient, resources: Resources
) -> None:
    minute = timedelta(minutes=1)
    timeouts = [
        a_letter(number, detail=f"no answer in {number} s", failed_at=FAILED_AT + number * minute)
        for number in range(1, 4)
    ]
    poison = a_letter(9, reason=DeadLetterReason.UNDECODABLE, detail="turns: Field required")
    await keep(resources.write_pool, [*timeouts, poison])
    first, second = (await get(client, "/groups"))["groups"]
    assert (first["reason"], first["count"], first["service"]) == ("llm_error", 3, "analyzer")
    assert first["first_seen"] == "2026-03-02T09:31:00Z"
    assert first["last_seen"] == "2026-03-02T09:33:00Z"
    assert first["newest"] == {"dead_letter_id": str(timeouts[-1].letter.id), "detail": "no answer in 3 s"}
    assert (second["reason"], second["count"]) == ("undecodable", 1)
    (only,) = (await get(client, "/groups", fingerprint=second["fingerprint"]))["groups"]
    assert only == second
    assert (await get(client, "/groups", state="dropped"))["groups"] == []


async def test_pages_list_every_letter_once_newest_first(client: httpx.AsyncClient, resources: Resources) -> None:
    letters = [a_letter(number, failed_at=FAILED_AT + timedelta(seconds=number // 3)) for number in range(20)]
    await keep(resources.write_pool, letters)
    seen: list[Any] = []
    cursor = None
    while True:
        page = await get(client, limit=7, **({"cursor": cursor} if cursor else {}))
        seen += page["dead_letters"]
        cursor = page["metadata"]["next_cursor"]
        if cursor is None:
            break
    assert {one["dead_letter_id"] for one in seen} == {str(one.letter.id) for one in letters}
    assert len(seen) == 20
    assert seen == sorted(seen, key=lambda one: (one["failed_at"], one["dead_letter_id"]), reverse=True)
    refused = await client.get(PATH, params={"cursor": "forged"})
    assert refused.json()["errors"][0]["field"] == "cursor"


async def test_one_letter_shows_its_bytes_its_ancestors_and_its_history(
    client: httpx.AsyncClient, resources: Resources
) -> None:
    first = a_letter(1, value=b"\xff poison", headers=[("a", b"\x00")])
    await keep(resources.write_pool, [first])
    await decide(client, "redrives", EVERYTHING, done_by="kim", note="mended")
    (record,) = await read_topic(resources.connection, RECEIVED)
    assert record.headers[-1] == (REDRIVEN_FROM, str(first.letter.id).encode())
    second = a_letter(2, value=record.value, headers=record.headers)
    await keep(resources.write_pool, [second])

    found = await get(client, f"/{second.letter.id}")
    assert base64.b64decode(found["record"]["value_base64"]) == b"\xff poison"
    assert found["record"]["headers"][0] == {"name": "a", "value_base64": base64.b64encode(b"\x00").decode()}
    assert (found["state"], found["ancestors"]) == ("waiting", [str(first.letter.id)])
    (step,) = found["history"]
    assert (step["step"], step["done_by"], step["note"]) == ("redriven", "kim", "mended")
    assert (step["partition"], step["offset"]) == (record.partition, record.offset)
    found = await get(client, f"/{first.letter.id}")
    assert (found["state"], found["descendants"]) == ("redriven", [str(second.letter.id)])
    assert (await client.get(f"{PATH}/{uuid4()}")).status_code == 404
    assert (await client.get(f"{PATH}/nonsense")).status_code == 400


async def test_a_dry_run_counts_and_changes_nothing(client: httpx.AsyncClient, resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(3)])
    for what, member in (("redrives", "would_redrive"), ("drops", "would_drop")):
        answer = await decide(client, what, {"reason": "llm_error"}, dry_run=True)
        assert (answer[member], answer["piles"][0]["topic"]) == (3, RECEIVED.name)
    assert await read_topic(resources.connection, RECEIVED) == []
    assert (await get(client, "/actions"))["actions"] == []


@pytest.mark.parametrize(
    ("what", "done", "would"), [("redrives", "redriven", "would_redrive"), ("drops", "dropped", "would_drop")]
)
async def test_what_is_buried_after_the_letters_were_counted_is_not_meant(
    client: httpx.AsyncClient, resources: Resources, what: str, done: str, would: str
) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(5)])
    first, second = [await decide(client, what, EVERYTHING, dry_run=True) for _ in range(2)]
    assert (first[would], second[would]) == (5, 5)
    assert (await decide(client, what, EVERYTHING, as_of=first["as_of"]))[done] == 5
    await keep(resources.write_pool, [a_letter(number) for number in range(100, 105)])  # they failed again
    answer = await decide(client, what, EVERYTHING, as_of=second["as_of"])
    assert (answer[done], answer["remaining"]) == (0, 0)
    assert (await decide(client, what, EVERYTHING, dry_run=True, as_of=second["as_of"]))[would] == 0
    assert (await decide(client, what, EVERYTHING))[done] == 5
    assert len((await get(client, "/actions"))["actions"]) == 2


async def test_every_letter_is_meant_only_when_it_is_said(client: httpx.AsyncClient) -> None:
    for selection in ({}, {"state": "dropped"}):
        answer = await client.post(f"{PATH}/redrives", json={"selection": selection})
        assert answer.status_code == 400
        assert "everything" in answer.json()["details"]


async def test_decisions_are_kept_with_their_counts(client: httpx.AsyncClient, resources: Resources) -> None:
    letters = [a_letter(number) for number in range(5)]
    await keep(resources.write_pool, letters)
    ids = [str(letter.letter.id) for letter in letters]
    assert (await decide(client, "drops", {"dead_letter_ids": ids[:2]}, done_by="kim"))["dropped"] == 2
    assert (await decide(client, "redrives", EVERYTHING, done_by="lee"))["redriven"] == 3
    assert (await decide(client, "redrives", EVERYTHING, done_by="lee"))["redriven"] == 0
    newest, oldest = (await get(client, "/actions"))["actions"]
    assert (newest["kind"], newest["done_by"], newest["redriven"]) == ("redrive", "lee", 3)
    assert (oldest["kind"], oldest["done_by"], oldest["dropped"]) == ("drop", "kim", 2)


async def test_the_keys_name_is_kept_and_reading_bytes_or_sending_needs_the_scope_operate(
    settings: SinkSettings, resources: Resources
) -> None:
    await keep(resources.write_pool, [letter := a_letter(1)])
    reader, reader_entry = new_key("reader", ["read"])
    operator, operator_entry = new_key("ops", ["read", "operate"])
    locked = settings.model_copy(update={"api_keys": SecretStr(f"{reader_entry} {operator_entry}")})
    body = {"selection": EVERYTHING, "done_by": "somebody else"}
    async with client_of(locked, resources) as client:
        headers = {"X-API-Key": reader}
        assert (await client.get(f"{PATH}/groups", headers=headers)).status_code == 200
        assert (await client.get(f"{PATH}/{letter.letter.id}", headers=headers)).status_code == 403
        for what in ("redrives", "drops"):
            assert (await client.post(f"{PATH}/{what}", headers=headers, json=body)).status_code == 403
        answer = await client.post(f"{PATH}/redrives", headers={"X-API-Key": operator}, json=body)
        assert answer.json()["redriven"] == 1
        actions = (await client.get(f"{PATH}/actions", headers=headers)).json()["actions"]
    assert [action["done_by"] for action in actions] == ["ops"]


async def test_two_at_a_time_are_told_to_wait(client: httpx.AsyncClient, resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(1)])
    async with resources.write_pool.acquire() as other:
        assert await other.fetchval(sql.LOCK)
        answer = await client.post(f"{PATH}/redrives", json={"selection": EVERYTHING})
    assert (answer.status_code, answer.json()["error"]) == (409, "redrive_running")
    assert int(answer.headers["Retry-After"]) > 0
