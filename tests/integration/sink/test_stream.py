"""The stream of insights over real rows, with sinks that store while readers listen."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from schemas.event import Lane
from services.sink.__main__ import start
from services.sink.app import create_app
from services.sink.erase import erase
from services.sink.positions import Positions, read_position
from services.sink.resources import Resources, open_resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.http_client import http_client
from tests.infrastructure import Infrastructure
from tests.integration.sink.harness import Sink, insight
from tests.integration.sink.listening import Reader, all_have, running_feed, sinks
from tests.integration.sink.running import sink_settings
from tests.waiting import eventually
from undertone.embedded.ports import free_port


@pytest.fixture
def settings(infrastructure: Infrastructure, database_url: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, "")


@pytest.fixture
async def resources(settings: SinkSettings) -> AsyncIterator[Resources]:
    async with open_resources(settings) as opened:
        yield opened


async def test_a_reader_hears_what_any_sink_stores_and_goes_on_after_a_break_where_it_was(
    pool: asyncpg.Pool, resources: Resources
) -> None:
    first, second = await sinks(pool, 2)
    await first.finish(insight("before", "w", 1))
    async with running_feed(resources) as feed:
        reader = Reader(feed, await feed.stored())
        await eventually(lambda: feed.readers == 1)
        await first.finish(insight("a", "w", 2))
        await second.finish(insight("b", "w", 3), insight("c", "w", 4))
        await eventually(reader.has(3))
        await reader.leave()
        await eventually(lambda: feed.readers == 0, what="who leaves is forgotten")
        await second.finish(insight("d", "w", 5))
        await first.finish(insight("e", "w", 6))
        again = Reader(feed, read_position(reader.last_id))
        await eventually(again.has(2))
        await first.finish(insight("f", "w", 7))
        await eventually(again.has(3))
        await again.leave()
    assert sorted(reader.seen) == ["a", "b", "c"]
    assert sorted(again.seen) == ["d", "e", "f"]


async def test_a_reader_may_break_off_anywhere_and_misses_and_repeats_nothing_while_sinks_store(
    pool: asyncpg.Pool, resources: Resources
) -> None:
    first, second = await sinks(pool, 2)
    names: list[str] = []

    async def keep_storing(sink: Sink) -> None:
        for turn in range(40):
            some = [f"c{sink.partition}-{turn}-{index}" for index in range(5)]
            names.extend(some)
            await sink.finish(*(insight(name, "w", turn) for name in some))

    async with running_feed(resources) as feed:
        position: Positions = await feed.stored()
        seen: list[str] = []
        storing = asyncio.gather(keep_storing(first), keep_storing(second))
        for _ in range(6):
            reader = Reader(feed, position)
            await eventually(reader.has_or(20, storing))
            await reader.leave()
            seen += reader.seen
            position = read_position(reader.last_id)
        await storing
        last = Reader(feed, position)
        await eventually(last.has(len(names) - len(seen)))
        await last.leave()
    assert sorted(seen + last.seen) == sorted(names)


async def test_filters_let_through_what_they_name(pool: asyncpg.Pool, resources: Resources) -> None:
    (sink,) = await sinks(pool, 1)
    await sink.finish(insight("first", "w", 1))
    async with running_feed(resources) as feed:
        now = await feed.stored()
        readers = {
            "everything": Reader(feed, now),
            "negative": Reader(feed, now, sentiment="negative"),
            "billing": Reader(feed, now, topic="billing"),
            "sure": Reader(feed, now, min_confidence=0.8),
            "mail": Reader(feed, now, channel="mail"),
            "v2": Reader(feed, now, analysis_version="v2"),
        }
        await eventually(lambda: feed.readers == len(readers))
        await sink.finish(
            insight("n", "w", 2),
            insight("p", "w", 3, score=0.9, topics=("billing",), confidence=0.5),
            insight("m", "w", 4, score=0.0, channel="mail", confidence=0.5),
        )
        await sink.finish(insight("other", "w", 5, version="v2", lane=Lane.REPLAY))
        await eventually(readers["v2"].has(1))
        await eventually(lambda: all(one.last_id.endswith(":5") for one in readers.values()), what="all have come far")
        for reader in readers.values():
            await reader.leave()
    heard = {name: reader.seen for name, reader in readers.items()}
    assert heard["v2"] == ["other"]
    assert heard["billing"] == ["p"]
    assert heard["mail"] == ["m"]
    assert heard["everything"] == ["n", "p", "m"]
    assert heard["negative"] == ["n"]
    assert heard["sure"] == ["n"]


async def test_who_does_not_keep_up_is_dropped_and_five_hundred_others_hear_everything(
    pool: asyncpg.Pool, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sink.feed._WAITING_EVENTS", 50)
    (sink,) = await sinks(pool, 1)
    async with running_feed(resources) as feed:
        now = await feed.stored()
        readers = [Reader(feed, now, heartbeat_seconds=5) for _ in range(500)]
        async with feed.subscribed() as asleep:
            begun_at = asleep.position
            await eventually(lambda: feed.readers == 501)
            for turn in range(10):
                await sink.finish(*(insight(f"c{turn}-{index}", "w", turn) for index in range(10)))
                await eventually(all_have(readers, 10 * (turn + 1)))
            assert asleep.is_over
            assert await asleep.events(1) == []
            assert asleep.position == begun_at, "what was forgotten is told again to who comes back"
        expected = [f"c{turn}-{index}" for turn in range(10) for index in range(10)]
        assert all(reader.seen == expected for reader in readers)
        for reader in readers:
            reader.task.cancel()
        await asyncio.wait([reader.task for reader in readers])


async def test_streams_end_when_the_process_is_to_stop(pool: asyncpg.Pool, resources: Resources) -> None:
    await sinks(pool, 1)
    async with running_feed(resources) as feed:
        reader = Reader(feed, await feed.stored(), heartbeat_seconds=60)
        await eventually(lambda: feed.readers == 1)
    await eventually(lambda: reader.is_over)
    late = Reader(feed, await feed.stored(), heartbeat_seconds=60)
    await eventually(lambda: late.is_over, what="who comes too late is not kept waiting")


async def test_an_erased_conversation_is_not_told_to_who_goes_on_from_before(
    pool: asyncpg.Pool, resources: Resources
) -> None:
    (sink,) = await sinks(pool, 1)
    await sink.finish(insight("kept", "w", 1), insight("gone", "w", 2))
    async with pool.acquire() as connection:
        await erase(connection, "gone")
    async with running_feed(resources) as feed:
        reader = Reader(feed, {})
        await eventually(lambda: reader.last_id == "0:2")
        await reader.leave()
    assert reader.seen == ["kept"]


async def test_ids_that_are_none_and_filters_that_are_none_are_refused_by_name(
    settings: SinkSettings, resources: Resources
) -> None:
    transport = httpx.ASGITransport(create_app(settings, resources, Role.API, None), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://read-api") as client:
        path = "/api/v1/insights/stream"
        forged = await client.get(path, headers={"Last-Event-ID": "0:1; DROP TABLE insights"})
        assert (forged.status_code, forged.json()["errors"][0]["field"]) == (400, "last_event_id")
        for name, value in (("sentiment", "angry"), ("min_confidence", "nan"), ("topic", "A B"), ("unheard", "1")):
            answer = await client.get(path, params={name: value})
            assert answer.status_code == 400, name
            assert name in answer.json()["errors"][0]["field"]


async def test_a_server_with_an_open_stream_stops_at_once(infrastructure: Infrastructure, database_url: str) -> None:
    settings = sink_settings(infrastructure.bootstrap_servers, database_url, "", port=free_port())
    stop = asyncio.Event()
    serving = asyncio.create_task(start(settings, Role.API, stop))
    url = f"http://127.0.0.1:{settings.port}"
    async with http_client(base_url=url, timeout=30) as client:
        await eventually(lambda: answers(client))
        async with client.stream("GET", "/api/v1/insights/stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            chunks = answer.aiter_text()
            assert (await anext(chunks)).startswith("retry: ")
            stop.set()
            assert [chunk async for chunk in chunks if "event:" in chunk] == []
        await asyncio.wait_for(serving, 5)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).is_success
    except httpx.TransportError:
        return False
