"""Kafka and Postgres in containers, under the official images' names.

A free port of the host is chosen before the start: Kafka must know where clients reach it, and a server that
a test stops and starts again has to come back on its port.
"""

import asyncio
import os
from pathlib import Path

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # read at import; we remove what we start

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer

from tests.waiting import eventually
from undertone.embedded.kafka import answers_metadata
from undertone.embedded.ports import LOOPBACK, free_port
from undertone.embedded.postgres import answers_query

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "pgvector/pgvector:pg18"
KAFKA_CONFIGURATION = Path(__file__).parents[2] / "infra" / "kafka"
"""The one that docker-compose.yml uses: tests differ in the port only."""


class _ContainerServer:
    """The parts that both have: the engine's own stop, start, kill and pause."""

    container: DockerContainer
    _made = False

    async def start(self) -> None:
        if self._made:
            await asyncio.to_thread(self.container.get_wrapped_container().start)
        else:
            await asyncio.to_thread(self.container.start)
            self._made = True
        await eventually(self.is_ready, within_seconds=90, what=f"{self.container.image} answers")

    async def is_ready(self) -> bool:
        raise NotImplementedError

    async def stop(self) -> None:
        await asyncio.to_thread(self.container.get_wrapped_container().stop)

    async def kill(self) -> None:
        await asyncio.to_thread(self.container.get_wrapped_container().kill)

    async def pause(self) -> None:
        await asyncio.to_thread(self.container.get_wrapped_container().pause)

    async def resume(self) -> None:
        await asyncio.to_thread(self.container.get_wrapped_container().unpause)

    def dispose(self) -> None:
        if self._made:
            self.container.get_wrapped_container().remove(force=True, v=True)


class ContainerKafka(_ContainerServer):
    def __init__(self) -> None:
        port = free_port()
        self.bootstrap_servers = f"{LOOPBACK}:{port}"
        self.container = (
            DockerContainer(KAFKA_IMAGE)
            .with_envs(KAFKA_HEAP_OPTS="-Xms256m -Xmx256m", OUTSIDE_PORT=str(port))
            .with_volume_mapping(str(KAFKA_CONFIGURATION), "/mnt/shared/config", "ro")
            # As in docker-compose.yml: the broker calls itself by it to check who may write in a transaction.
            .with_kwargs(hostname="kafka")
        )
        self.container.ports["19092/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]  # docker-py takes (host, port)

    async def is_ready(self) -> bool:
        return await answers_metadata(self.bootstrap_servers)


class ContainerPostgres(_ContainerServer):
    def __init__(self) -> None:
        port = free_port()
        password = "containers"
        self.url = f"postgresql://undertone:{password}@{LOOPBACK}:{port}/postgres"
        self.container = PostgresContainer(
            POSTGRES_IMAGE, username="undertone", password=password, dbname="postgres", driver=None
        )
        self.container.ports["5432/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]  # docker-py takes (host, port)

    async def is_ready(self) -> bool:
        return await answers_query(self.url)
