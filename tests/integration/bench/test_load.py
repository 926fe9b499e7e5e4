"""The load generator against a server that misbehaves."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.integration.bench.scripted_server import http, scripted_server
from undertone.bench.ledger import Ledger
from undertone.bench.load import Load, open_load
from undertone.bench.posts import PostMaker, Shape
from undertone.bench.run import Plan
from undertone.embedded.ports import free_port
from undertone.errors import CommandError


def accepted(number: int) -> bytes:
    return http(202, json.dumps({"conversation_id": f"conv_{number}"}).encode())


async def test_every_request_of_a_closed_loop_is_answered() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(number))

    ledger = Ledger()
    async with scripted_server(answer) as url, open_load(url, 5) as load:
        recorder = await load.run(Plan(requests=200), PostMaker(url, "run", shape=Shape.TEXT), ledger)
    assert recorder.answers == {"202": 200}
    assert len(ledger.accepted) == 200
    assert ledger.contradictions == 0


async def test_lost_connections_are_counted_and_opened_again() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number % 10:
            writer.write(accepted(number))
        else:
            writer.close()

    ledger = Ledger()
    async with scripted_server(answer) as url, open_load(url, 3) as load:
        recorder = await load.run(Plan(requests=100), PostMaker(url, "run"), ledger)
    assert recorder.answers == {"202": 90, "connection lost": 10}
    assert len(ledger.unknown) == 10


async def test_a_server_that_closes_after_each_answer_is_no_failure() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(http(503, b"{}", close=True))
        writer.close()

    async with scripted_server(answer) as url, open_load(url, 3) as load:
        recorder = await load.run(Plan(requests=30), PostMaker(url, "run"), Ledger())
    assert recorder.answers == {"503": 30}


async def test_a_request_without_an_answer_is_given_up() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number > 1:
            writer.write(http(429))

    ledger = Ledger()
    async with scripted_server(answer) as url, open_load(url, 2) as load:
        recorder = await load.run(Plan(requests=20, timeout_seconds=0.5), PostMaker(url, "run"), ledger)
    assert recorder.answers == {"429": 19, "timeout": 1}
    assert len(ledger.unknown) == 1


async def test_a_stall_of_the_server_is_not_hidden_from_an_open_loop() -> None:
    """200 requests fall due in a second in which the server says nothing: half of them must have waited long."""

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            await asyncio.sleep(1.0)  # the stall itself, not a wait for something
        writer.write(accepted(number))

    async with scripted_server(answer) as url, open_load(url, 1) as load:
        posts = PostMaker(url, "run", shape=Shape.TEXT)
        recorder = await load.run(Plan(rate=200, requests=200), posts, Ledger())
    assert recorder.answers == {"202": 200}
    assert recorder.accepted_latency.percentile_ms(50) > 300
    assert recorder.service_time.percentile_ms(50) < 100


async def test_an_open_loop_keeps_its_rate() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(number))

    async with scripted_server(answer) as url, open_load(url, 4) as load:
        recorder = await load.run(Plan(rate=300, seconds=1), PostMaker(url, "run", shape=Shape.TEXT), Ledger())
    assert recorder.sent + recorder.never_sent == pytest.approx(300, abs=1)


async def test_a_server_that_is_not_there_is_one_clear_sentence() -> None:
    with pytest.raises(CommandError, match="Nothing answers at"):
        async with open_load(urlsplit(f"http://127.0.0.1:{free_port()}"), 2):
            pass


async def test_a_server_that_goes_away_ends_the_run() -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(number))

    async with scripted_server(answer) as url:
        load = Load(url)
        await load.connect(2)
    try:
        with pytest.raises(CommandError, match="has gone away"):
            await load.run(Plan(requests=10, timeout_seconds=0.5), PostMaker(url, "run"), Ledger())
    finally:
        await load.close()
