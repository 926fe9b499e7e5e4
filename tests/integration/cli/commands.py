"""The command line as people run it: a process of its own, in a folder of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.deployment import Deployment
from tests.waiting import eventually


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """A folder, and an environment with nothing of the test's own settings."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def run(self, *arguments: str, within_seconds: float = 60) -> Ended:
        """Run a command to its end."""
        process = await self._start(arguments)
        out, err = await asyncio.wait_for(process.communicate(), within_seconds)
        return self._ended(process, out, err)

    async def run_until(self, reached: Callable[[], Awaitable[bool]], number: signal.Signals, *arguments: str) -> Ended:
        """Run a command until the condition holds, send it a signal, and wait for its end."""
        process = await self._start(arguments)
        try:
            await eventually(reached, every_seconds=0.01, what=f"{arguments[0]} got so far")
        finally:
            process.send_signal(number)
            out, err = await asyncio.wait_for(process.communicate(), 30)
        return self._ended(process, out, err)

    async def _start(self, arguments: tuple[str, ...]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "undertone", *arguments),
            cwd=self.folder,
            env={**_clean_environment(), **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    @staticmethod
    def _ended(process: asyncio.subprocess.Process, out: bytes, err: bytes) -> Ended:
        assert process.returncode is not None
        ended = Ended(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in ended.err, ended.err
        return ended


def terminal_on(deployment: Deployment, folder: Path, **more: str) -> Terminal:
    """An operator's command line on this deployment: its Kafka and Postgres, and the services that it has."""
    urls = {"ingress": "UNDERTONE_API_URL", "sink": "UNDERTONE_READ_API_URL"}
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": deployment.bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": deployment.topic_prefix,
        "KAFKA_GROUP_PREFIX": deployment.topic_prefix,
        **({"DATABASE_URL": deployment.database_url} if deployment.database_url else {}),
    }
    for service in reversed(deployment.services):  # the first of its kind is the one that answers
        if service.kind in urls:
            environment[urls[service.kind]] = service.url
    return Terminal(folder, {**environment, **more})


def _clean_environment() -> dict[str, str]:
    ours = ("KAFKA_", "INGRESS_", "ANALYZER_", "SINK_", "UNDERTONE_", "DATABASE_URL", "API_KEYS", "LLM")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"COLUMNS": "80"}
