"""Windows in a real Redis, which is killed, paused and started again."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from pydantic import SecretStr

from services.runtime import redis_windows
from services.runtime.inbound import windows_of
from services.runtime.rate_limits import ClientLimiter, WindowLimit
from services.runtime.redis_windows import RedisWindows
from services.runtime.shared_windows import StoreAway
from tests.infrastructure.redis_server import RedisServer, running_redis
from tests.waiting import eventually

LIMIT = WindowLimit(5, 900_000)  # no window ends while a test runs


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@asynccontextmanager
async def instances(server: RedisServer, count: int) -> AsyncIterator[list[ClientLimiter]]:
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(aclosing(windows_of(SecretStr(server.url), "try"))) for _ in range(count)
        ]


async def allowed(windows: ClientLimiter, times: int, limit: WindowLimit = LIMIT, client: str = "a") -> int:
    return sum([(await windows.take(client, limit)).is_allowed for _ in range(times)])


async def test_instances_share_a_window_and_clients_do_not(redis_server: RedisServer) -> None:
    async with instances(redis_server, 2) as (one, other):
        assert await allowed(one, 3) + await allowed(other, 4) == 5
        assert await allowed(one, 1) == 0
        assert await allowed(other, 1, client="b") == 1
    keys = await redis_server.keys()
    assert len(keys) == 2
    assert all(key.startswith("undertone:try:") for key in keys)


async def test_a_race_of_many_requests_at_several_instances_lets_in_exactly_the_limit(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_windows, "_TIMEOUT_SECONDS", 30.0)  # a slow machine is no Redis that is away
    limit = WindowLimit(100, 900_000)
    async with instances(redis_server, 4) as several:
        await asyncio.gather(*(windows.take("warm", limit) for windows in several))
        rounds = [await asyncio.gather(*(windows.take("a", limit) for windows in several * 5)) for _ in range(10)]
    assert sum(verdict.is_allowed for verdicts in rounds for verdict in verdicts) == 100


async def test_a_refusal_says_when_to_come_back_and_that_is_when_it_is_let_in(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_windows, "_TIMEOUT_SECONDS", 30.0)  # a slow machine is no Redis that is away
    limit = WindowLimit(2, 1)
    async with aclosing(RedisWindows(redis_server.url, "try")) as windows:

        async def first_refusal() -> float:
            verdict = await windows.take("a", limit)
            return 0.0 if verdict.is_allowed else verdict.wait_seconds

        told = await eventually(first_refusal, every_seconds=0, what="a refusal")
        assert 0 < told <= 1
        refused_at = time.monotonic()

        async def is_let_in() -> bool:
            return (await windows.take("a", limit)).is_allowed

        await eventually(is_let_in, every_seconds=0.005, what="let in again")
        assert time.monotonic() - refused_at >= told - 0.02


async def test_remaining_counts_down(redis_server: RedisServer) -> None:
    async with instances(redis_server, 1) as (windows,):
        verdicts = [await windows.take("a", WindowLimit(2, 900_000)) for _ in range(3)]
    assert [(verdict.is_allowed, verdict.remaining) for verdict in verdicts] == [(True, 1), (True, 0), (False, 0)]


async def test_killed_it_costs_nobody_a_request_and_started_again_it_is_shared_again(
    redis_server: RedisServer,
) -> None:
    async with instances(redis_server, 2) as (one, other):
        assert await allowed(one, 3) == 3
        await redis_server.kill()
        assert await allowed(one, 5) == 2  # it goes on from its own three
        assert await allowed(other, 7) == 5
        assert one.description == f"memory, because Redis at 127.0.0.1:{redis_server.port} does not answer"
        await redis_server.start()

        async def are_shared() -> bool:
            await allowed(one, 1, client="probe")
            await allowed(other, 1, client="probe")
            return not any("memory" in windows.description for windows in (one, other))

        await eventually(are_shared, what="both count in Redis again")
        assert await allowed(one, 3, client="c") + await allowed(other, 4, client="c") == 5


async def test_a_redis_that_hangs_makes_one_request_wait_for_a_moment_and_the_others_not_at_all(
    redis_server: RedisServer,
) -> None:
    async with instances(redis_server, 1) as (windows,):
        assert await allowed(windows, 1) == 1
        redis_server.pause()
        try:
            began = time.monotonic()
            assert await allowed(windows, 1) == 1
            assert 0.05 < time.monotonic() - began < 0.5
            began = time.monotonic()
            assert await allowed(windows, 3) == 3
            assert time.monotonic() - began < 0.05
        finally:
            redis_server.resume()

        async def is_back() -> bool:
            await allowed(windows, 1, client="probe")
            return "memory" not in windows.description

        await eventually(is_back, what="it counts in Redis again")


async def test_a_wrong_password_is_named_without_the_password(redis_server: RedisServer) -> None:
    url = redis_server.url.replace("redis://", "redis://:s3cret-word@")
    async with aclosing(RedisWindows(url, "try")) as windows:
        with pytest.raises(StoreAway) as refused:
            await windows.take("a", LIMIT)
    assert "password" in str(refused.value).lower()
    assert "s3cret-word" not in str(refused.value) + windows.description
