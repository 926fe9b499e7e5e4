"""Analyzers for tests: in this process with any engine, or as a process of their own that can be killed."""

import asyncio
import os
import signal
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.analyzer.app import run_analyzer
from services.analyzer.engine import Engine
from services.analyzer.settings import AnalyzerSettings
from services.runtime.kafka import KafkaConnection
from tests.http_client import http_client
from tests.waiting import eventually
from undertone.embedded.ports import free_port


@dataclass
class Health:
    """What an analyzer says over HTTP."""

    port: int

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        try:
            async with http_client() as client:
                answer = await client.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def is_ready(self) -> bool:
        status, said = await self.readiness()
        assert status == 200, said
        return True

    async def partitions(self, lane: str = "live") -> int:
        _, said = await self.readiness()
        return len(said["partitions"][lane]) if said.get("checks", {}).get("assignment", {}).get("ok") else -1


def settings_for(connection: KafkaConnection, **overrides: Any) -> AnalyzerSettings:
    return AnalyzerSettings(
        kafka_bootstrap_servers=connection.bootstrap_servers,
        kafka_topic_prefix=connection.topic_prefix,
        kafka_group_prefix=connection.group_prefix,
        port=overrides.pop("port", free_port()),
        **overrides,
    )


@dataclass
class InProcess(Health):
    """An analyzer in the test's event loop."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[int] | None" = None

    @classmethod
    async def start(cls, connection: KafkaConnection, *engines: Engine, **overrides: Any) -> "InProcess":
        settings = settings_for(connection, **overrides)
        analyzer = cls(settings.port)
        analyzer.task = asyncio.create_task(run_analyzer(settings, analyzer.stopping, lambda _: nullcontext(engines)))
        return analyzer

    async def stop(self) -> int:
        """Drain as at SIGTERM; the exit code."""
        assert self.task is not None
        self.stopping.set()
        return await self.task


@dataclass
class OwnProcess(Health):
    """`python -m services.analyzer` (or a test's program) in a process of its own."""

    environment: dict[str, str]
    module: str
    log: Path
    process: "asyncio.subprocess.Process | None" = None

    @classmethod
    async def start(
        cls, connection: KafkaConnection, log: Path, *, module: str = "services.analyzer", **variables: str
    ) -> "OwnProcess":
        port = free_port()
        ours = ("KAFKA_", "ANALYZER_", "XAI_")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": connection.topic_prefix,
            "KAFKA_GROUP_PREFIX": connection.group_prefix,
            "ANALYZER_PORT": str(port),
            "LOG_FORMAT": "text",
            **variables,
        }
        analyzer = cls(port, environment, module, log)
        await analyzer.run()
        return analyzer

    async def run(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.module, env=self.environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


async def both_own_half(*analyzers: Health, within_seconds: float = 15) -> None:
    """Wait until the partitions of the live lane are dealt evenly."""

    async def dealt() -> bool:
        counts = [await analyzer.partitions() for analyzer in analyzers]
        assert counts == [12 // len(analyzers)] * len(analyzers), counts
        return True

    await eventually(dealt, within_seconds=within_seconds, what="partitions are dealt evenly")
