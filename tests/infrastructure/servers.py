"""A Kafka and a Postgres that a test can start, stop, kill and pause: embedded or in containers."""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from tests.infrastructure.own_loop import run_in_own_loop
from undertone.embedded.accounts import choose_postgres_place
from undertone.embedded.kafka import EmbeddedKafka, KafkaProgram
from undertone.embedded.ports import free_port
from undertone.embedded.postgres import EmbeddedPostgres, find_binaries
from undertone.embedded.process import Child
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import SilentReporter
from undertone.embedded.settings import load_stack_settings


class Server(Protocol):
    """What a test may do to a server. `start` returns when it answers requests."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def kill(self) -> None: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    def dispose(self) -> None:
        """Stop it for good and remove its data."""


class KafkaServer(Server, Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


class PostgresServer(Server, Protocol):
    @property
    def url(self) -> str:
        """A database from which others may be created."""


def new_kafka() -> KafkaServer:
    if _wants_containers():
        from tests.infrastructure.containers import ContainerKafka  # noqa: PLC0415 - only then needed

        return ContainerKafka()
    return EmbeddedKafkaServer()


def new_postgres(settings: Mapping[str, str] | None = None) -> PostgresServer:
    """`settings` are those of an embedded one; a container has its image's."""
    if _wants_containers():
        from tests.infrastructure.containers import ContainerPostgres  # noqa: PLC0415 - only then needed

        return ContainerPostgres()
    return EmbeddedPostgresServer(settings)


def _wants_containers() -> bool:
    wanted = os.environ.get("UNDERTONE_TEST_STACK", "embedded")
    assert wanted in {"embedded", "containers"}, f"UNDERTONE_TEST_STACK is embedded or containers, not {wanted}"
    return wanted == "containers"


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Start a server; dispose of it at the end, however the test left it."""
    try:
        run_in_own_loop(server.start())
        yield server
    finally:
        server.dispose()


class _EmbeddedServer:
    """The parts that both have: signals for the child, and a folder of its own."""

    child: Child

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="undertone-test-"))
        self.folder.chmod(0o755)  # in a root shell Postgres walks here as another account

    async def kill(self) -> None:
        self.child.kill()
        await self.child.exited()

    async def pause(self) -> None:
        self.child.signal(signal.SIGSTOP)

    async def resume(self) -> None:
        self.child.signal(signal.SIGCONT)

    def dispose(self) -> None:
        self.child.kill()
        run_in_own_loop(self.child.stop())
        shutil.rmtree(self.folder, ignore_errors=True)


def _kafka_in(folder: Path, program: KafkaProgram) -> EmbeddedKafka:
    return EmbeddedKafka(folder / "kafka", program, free_port(), free_port(), folder / "kafka.log")


@cache
def _formatted(program: KafkaProgram) -> Path:
    """The folder of a Kafka that never ran: to copy it spares each server of a test a Java that formats its own."""
    folder = Path(tempfile.mkdtemp(prefix="undertone-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kafka = _kafka_in(folder, program)
    kafka.create()
    return kafka.folder


class EmbeddedKafkaServer(_EmbeddedServer):
    def __init__(self) -> None:
        super().__init__()
        program = ready_program(load_stack_settings().cache_dir, SilentReporter())
        self._kafka = _kafka_in(self.folder, program)
        shutil.copytree(_formatted(program), self._kafka.folder)
        self.child = self._kafka.child

    @property
    def bootstrap_servers(self) -> str:
        return self._kafka.bootstrap_servers

    async def start(self) -> None:
        await self._kafka.start()

    async def stop(self) -> None:
        await self._kafka.stop()


_IN_ITS_FOLDER = {"dynamic_shared_memory_type": "mmap"}
"""Killed, a Postgres leaves its shared memory behind: where its folder is, it is removed with it."""


class EmbeddedPostgresServer(_EmbeddedServer):
    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        place = choose_postgres_place(self.folder, find_binaries())
        chosen = {**_IN_ITS_FOLDER, **(settings or {})}
        self._postgres = EmbeddedPostgres(place, free_port(), self.folder / "postgres.log", chosen)
        self.child = self._postgres.child

    @property
    def url(self) -> str:
        return self._postgres.server_url

    async def start(self) -> None:
        await self._postgres.start()

    async def stop(self) -> None:
        await self._postgres.stop()

    def dispose(self) -> None:
        super().dispose()
        self._postgres.place.remove()
