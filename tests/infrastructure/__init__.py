"""The Kafka and the Postgres that a test gets.

`KAFKA_BOOTSTRAP_SERVERS` / `DATABASE_URL` given: those. `UNDERTONE_TEST_STACK=containers`: testcontainers.
Else the embedded stack. Shared by the tests: the Kafka by those of all workers of a run, a Postgres by those of a
worker; a test has its own topics and its own database.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infrastructure.databases import create_migrated_database
from tests.infrastructure.one_for_all import one_for_all
from tests.infrastructure.own_loop import run_in_own_loop
from tests.infrastructure.servers import KafkaServer, PostgresServer, new_kafka, new_postgres, running
from undertone.topics import apply

__all__ = ["Infrastructure", "OwnStack", "infrastructure", "own_stack"]


WITHOUT_WAITING_FOR_THE_DISK = {"fsync": "off", "full_page_writes": "off"}
"""Only a machine that loses its power would lose what is committed; no test does that, and kill -9 does not."""


@dataclass(frozen=True)
class Infrastructure:
    """Addresses of servers that tests share; `postgres_url` is one that may create databases."""

    bootstrap_servers: str
    postgres_url: str


@contextmanager
def infrastructure(folder_of_the_run: Path) -> Iterator[Infrastructure]:
    """Start what is not given by the environment, or by another worker of the run; stop it again."""
    with ExitStack() as stack:
        bootstrap_servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not bootstrap_servers:
            bootstrap_servers = stack.enter_context(one_for_all(folder_of_the_run / "kafka", _running_kafka))
        postgres_url = os.environ.get("DATABASE_URL")
        if not postgres_url:
            postgres_url = stack.enter_context(running(new_postgres(WITHOUT_WAITING_FOR_THE_DISK))).url
        yield Infrastructure(bootstrap_servers, postgres_url)


@contextmanager
def _running_kafka() -> Iterator[str]:
    with running(new_kafka()) as kafka:
        yield kafka.bootstrap_servers


@dataclass(frozen=True)
class OwnStack:
    """A Kafka and a Postgres for one test alone, which may stop, kill and pause them."""

    kafka: KafkaServer
    postgres: PostgresServer
    database_url: str

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    async def stop_kafka(self) -> None:
        await self.kafka.stop()

    async def start_kafka(self) -> None:
        await self.kafka.start()

    async def kill_kafka(self) -> None:
        await self.kafka.kill()

    async def stop_postgres(self) -> None:
        await self.postgres.stop()

    async def start_postgres(self) -> None:
        await self.postgres.start()

    async def kill_postgres(self) -> None:
        await self.postgres.kill()


@contextmanager
def own_stack() -> Iterator[OwnStack]:
    """Start a private Kafka and Postgres with topics and a migrated database; stop them afterwards."""
    with running(new_kafka()) as kafka, running(new_postgres(WITHOUT_WAITING_FOR_THE_DISK)) as postgres:
        run_in_own_loop(apply(kafka.bootstrap_servers))
        yield OwnStack(kafka, postgres, create_migrated_database(postgres.url, "undertone_test"))
