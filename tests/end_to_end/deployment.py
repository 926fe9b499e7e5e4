"""The three services as real processes, to be killed, stopped and joined by others."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.http_client import http_client
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.embedded.process import Child, Command

Json = dict[str, Any]
START_SECONDS = 60


@dataclass
class Service:
    """One process of a service; restarted, it keeps its port and its instance id."""

    kind: str
    port: int
    child: Child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *, wait: bool = True) -> None:
        self.child.start()
        if wait:
            await self.ready()

    async def ready(self, within_seconds: float = START_SECONDS) -> None:
        await eventually(
            self.is_ready, within_seconds=within_seconds, every_seconds=0.2, what=f"{self.child.name} is ready"
        )

    async def is_ready(self) -> bool:
        code = self.child.exit_code
        if code is not None:  # no AssertionError: waiting longer would not help
            raise RuntimeError(f"{self.child.name} ended with {code}: {self.child.last_log_lines(5)}")
        return (await self.readiness())[0] == 200

    async def readiness(self) -> tuple[int, Json]:
        """Status and body of /readyz; (0, {}) when nobody answers."""
        try:
            async with http_client(timeout=5) as client:
                answer = await client.get(f"{self.url}/readyz")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def health(self) -> Json:
        """The body of /health."""
        async with http_client(timeout=5) as client:
            body: Json = (await client.get(f"{self.url}/health")).json()
        return body

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        async with http_client(timeout=5) as client:
            text = (await client.get(f"{self.url}/metrics")).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.partition("{")[0].partition(" ")[0] == name and all(pair in line for pair in wanted)
        )

    async def kill(self) -> None:
        """kill -9, now."""
        self.child.kill()
        await self.child.exited()

    async def stop(self) -> int:
        """SIGTERM and its exit code."""
        await self.child.stop()
        return await self.child.exited()

    async def restart(self) -> None:
        await self.start()

    def freeze(self) -> None:
        self.child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.signal(signal.SIGCONT)


@dataclass
class Deployment:
    """Services on one Kafka and one Postgres, under a topic prefix of their own."""

    bootstrap_servers: str
    database_url: str
    folder: Path
    topic_prefix: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    _read_api_port: int = field(default_factory=free_port)

    def add(self, kind: str, name: str | None = None, *, role: str | None = None, **settings: str) -> Service:
        """A service, not yet started. The first sink serves the read API; settings are environment variables."""
        name = name or f"{kind}-1"
        is_first_sink = kind == "sink" and not any(service.kind == "sink" for service in self.services)
        port = self._read_api_port if is_first_sink else free_port()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_OURS)},
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": self.topic_prefix,
            "KAFKA_GROUP_PREFIX": self.topic_prefix,
            "DATABASE_URL": self.database_url,
            "LOG_FORMAT": "text",
            "INGRESS_READ_API_URL": f"http://127.0.0.1:{self._read_api_port}",
            "ANALYZER_LOOKUP_URL": f"http://127.0.0.1:{self._read_api_port}",
            "INGRESS_REQUESTS_PER_SECOND": "0",
            "SINK_CLIENT_LIMIT": "off",
            f"{kind.upper()}_PORT": str(port),
            f"{kind.upper()}_INSTANCE_ID": name,
            **self.environment,
            **settings,
        }
        arguments = ["--role", role] if role else []
        command = Command(
            name=name,
            argv=(sys.executable, "-m", f"services.{kind}", *arguments),
            log_file=self.folder / f"{name}.log",
            environment=environment,
            stop_grace_seconds=60,
        )
        service = Service(kind, port, Child(command))
        self.services.append(service)
        return service

    def the(self, kind: str) -> Service:
        """The first service of its kind."""
        return next(service for service in self.services if service.kind == kind)

    async def start(self) -> None:
        """Start every service added so far and wait until all are ready."""
        for service in self.services:
            await service.start(wait=False)
        await asyncio.gather(*(service.ready() for service in self.services))

    async def stop(self) -> None:
        for service in self.services:
            service.thaw()
        await asyncio.gather(*(service.child.stop() for service in self.services))

    async def status(self) -> Json:
        """What the read API says of the whole system."""
        async with http_client(timeout=10) as client:
            answer = await client.get(f"{self.the('sink').url}/api/v1/status")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def conversation(self, conversation_id: str) -> Json:
        async with http_client(timeout=10) as client:
            answer = await client.get(f"{self.the('sink').url}/api/v1/conversations/{conversation_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def settled(self, accepted: Iterable[str], *, within_seconds: float = 120) -> None:
        """Wait until as many conversations as were accepted are stored, and none is in flight."""
        count = len(set(accepted))

        async def is_settled() -> bool:
            try:
                counts = (await self.status())["conversations"]
            except httpx.TransportError as error:
                raise AssertionError(str(error)) from error
            assert counts["queued"] + counts["processing"] == 0, counts
            assert sum(counts.values()) == count, f"{counts} of {count}"
            return True

        await eventually(is_settled, within_seconds=within_seconds, every_seconds=0.2, what=f"{count} are settled")

    async def post(self, conversation: Json) -> httpx.Response:
        """Post one conversation."""
        async with http_client(timeout=10) as client:
            return await client.post(f"{self.the('ingress').url}/api/v1/conversations", json=conversation)

    async def post_until_accepted(self, conversations: Sequence[Json], *, chunk: int = 50) -> set[str]:
        """Post in chunks, each again until every conversation was accepted; returns their ids."""
        accepted: set[str] = set()
        async with http_client(timeout=10) as client:
            for start in range(0, len(conversations), chunk):
                waiting = list(conversations[start : start + chunk])
                while waiting:
                    waiting = await self._post_chunk(client, waiting, accepted)
        return accepted

    async def _post_chunk(self, client: httpx.AsyncClient, waiting: list[Json], accepted: set[str]) -> list[Json]:
        """Post once; returns what was not accepted, after a moment when the service was away."""
        try:
            answer = await client.post(f"{self.the('ingress').url}/api/v1/conversations/bulk", json=waiting)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
            return waiting
        if answer.status_code != 202:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)
            return waiting
        results = answer.json()["results"]
        refused = [result for result in results if result["status"] == "rejected"]
        assert not refused, refused
        accepted |= {result["conversation_id"] for result in results if result["status"] == "accepted"}
        return [waiting[result["index"]] for result in results if result["status"] != "accepted"]


_OURS = ("KAFKA_", "INGRESS_", "ANALYZER_", "SINK_", "DATABASE_URL", "API_KEYS", "XAI_", "REDIS_")


@asynccontextmanager
async def deployed(deployment: Deployment) -> AsyncIterator[Deployment]:
    """Stop every process afterwards, whatever happened."""
    try:
        yield deployment
    finally:
        await deployment.stop()
