"""Clients' windows in Redis, counted by throttled-py: one script a request, so that instances cannot race."""

import asyncio
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from throttled.asyncio import RateLimiterType, RedisStore, Throttled, per_duration
from throttled.exceptions import StoreUnavailableError

from services.runtime.rate_limits import Verdict, WindowLimit
from services.runtime.shared_windows import StoreAway

_TIMEOUT_SECONDS = 0.1
"""Longest wait of a request for its count: Redis answers within a millisecond, or is not there."""
_CONNECTIONS = 16

SCHEMES = ("redis", "rediss", "unix")


def check_redis_url(url: str) -> None:
    """Raises ValueError, without quoting the URL: it may hold a password."""
    if url.partition("://")[0] not in SCHEMES:
        raise ValueError("must start with redis://, rediss:// or unix://")
    try:
        urlsplit(url).port  # noqa: B018 - reading it checks it
        pool = redis.asyncio.ConnectionPool.from_url(url)
        pool.make_connection()  # type: ignore[no-untyped-call]  # reads every part of it; connects nowhere
    except (TypeError, ValueError, RedisError) as error:
        raise ValueError("cannot be read; it looks like redis://:PASSWORD@HOST:PORT/DATABASE") from error


class RedisWindows:
    """The windows of one service; `prefix` keeps services apart that share a Redis."""

    def __init__(self, url: str, prefix: str) -> None:
        parts = urlsplit(url)
        self.description = f"Redis at {parts.hostname}:{parts.port or 6379}" if parts.hostname else "Redis"
        self._prefix = prefix
        self._store = _ClosableStore(url, _options())
        self._limiters: dict[WindowLimit, Throttled] = {}

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        """Count a request of a client, if it is let in. Raises StoreAway."""
        key = f"{limit.requests}/{limit.seconds}s:{client}"
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                result = await self._limiter(limit).limit(key)
        except TimeoutError as error:
            raise StoreAway(f"no answer within {_TIMEOUT_SECONDS * 1000:.0f} ms") from error
        except StoreUnavailableError as error:
            raise StoreAway(f"{type(error.__cause__).__name__}: {error.__cause__}") from error
        state = result.state
        return Verdict(
            is_allowed=not result.limited,
            limit=limit.requests,
            window_seconds=limit.seconds,
            remaining=0 if result.limited else state.remaining,
            wait_seconds=state.retry_after,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._store.aclose()

    def _limiter(self, limit: WindowLimit) -> Throttled:
        limiter = self._limiters.get(limit)
        if limiter is None:
            limiter = self._limiters[limit] = Throttled(
                using=RateLimiterType.SLIDING_WINDOW.value,
                quota=per_duration(timedelta(seconds=limit.seconds), limit.requests),
                store=self._store,
                key_prefix=f"undertone:{self._prefix}",
            )
        return limiter


class _ClosableStore(RedisStore):
    """throttled-py leaves its connections to the end of the process."""

    async def aclose(self) -> None:
        client = cast("redis.asyncio.Redis", self._backend.get_client())
        await client.aclose(close_connection_pool=True)


def _options() -> dict[str, Any]:
    """A bounded pool, and no retries of the client's own: whoever waits for Redis waits once, and shortly."""
    return {
        "CONNECTION_POOL_CLASS": "redis.asyncio.BlockingConnectionPool",
        "CONNECTION_POOL_KWARGS": {
            "max_connections": _CONNECTIONS,
            "timeout": _TIMEOUT_SECONDS,
            "socket_connect_timeout": _TIMEOUT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        },
    }
