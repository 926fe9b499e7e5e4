"""The stack as a whole: start it in order, keep it running, stop it in order.

    with prepared_stack(options, reporter) as prepared:
        async with running_stack(prepared, reporter) as stack:
            ...  # stack.addresses; stack.supervise() restarts what dies

Kafka and Postgres start side by side, each followed by its contract (topics, migrations), then the services.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from undertone import topics
from undertone.embedded.errors import NotReadyError, StackError
from undertone.embedded.kafka import accepts_connections
from undertone.embedded.prepare import PreparedStack
from undertone.embedded.process import Child, died_text, started
from undertone.embedded.reporter import Reporter
from undertone.embedded.services import (
    SERVICES,
    WRONG_SETTING_EXIT_CODE,
    failed_checks,
    has_settled,
    kafka_connection,
    local_client,
    new_migration,
    new_service,
    service_environment,
    service_url,
)
from undertone.embedded.state import Phase, ProcessState, StackState, own_identity, write_state
from undertone.embedded.stop import STOP_ORDER
from undertone.embedded.supervisor import Part, Start, supervise, wrong_setting

SERVICE_START_SECONDS = 45
CONNECT_SECONDS = 5
MIGRATION_SECONDS = 300


class Stack:
    """One run of all parts."""

    def __init__(self, prepared: PreparedStack, reporter: Reporter) -> None:
        self._prepared = prepared
        self._reporter = reporter
        self._phase: Phase = "starting"
        self._identity = own_identity()
        self._environment = service_environment(prepared.servers, prepared.ports, prepared.environment)
        self._migration = new_migration(self._environment, prepared.logs)
        self._services = {name: new_service(name, self._environment, prepared.logs) for name in SERVICES}
        self.addresses = _addresses(prepared)

    @property
    def home(self) -> Path:
        return self._prepared.home

    @property
    def children(self) -> dict[str, Child]:
        """Every part that stays, in the order of the start."""
        servers = {"kafka": self._prepared.kafka, "postgres": self._prepared.postgres}
        embedded = {name: server.child for name, server in servers.items() if server is not None}
        return {**embedded, **self._services}

    async def start(self) -> None:
        """Bring everything to readiness. Raises StackError that names the part which did not come up."""
        await _together(self._start_kafka(), self._start_postgres())
        async with local_client() as client:
            await _together(*(self._start_service(name, client) for name in SERVICES))
        self._enter("running")

    async def supervise(self) -> None:
        """Restart what dies, until cancelled. Raises WrongSettingError when a part cannot run as it is set."""
        try:
            await supervise(self._parts(), self._reporter, self._write_state)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def stop(self) -> None:
        """Stop what runs, in order. `kill` ends the waiting."""
        self._enter("stopping")
        await self._migration.stop()
        for names in STOP_ORDER:
            alive = [child for name, child in self.children.items() if name in names and child.is_alive]
            await asyncio.gather(*(self._stop_child(child) for child in alive))
        self._enter("stopped")

    def kill(self) -> None:
        """End every process of the stack now."""
        for child in (self._migration, *self.children.values()):
            child.kill()

    async def _start_kafka(self) -> None:
        if self._prepared.kafka is not None:
            await self._step("kafka", self._prepared.kafka.start, self.addresses["kafka"])
        await self._step("topics", self._apply_topics, "as the contract has them", doing="comparing")

    async def _apply_topics(self) -> None:
        bootstrap_servers = self._prepared.servers.kafka_bootstrap_servers
        if not await accepts_connections(bootstrap_servers, CONNECT_SECONDS):
            raise StackError(f"Nobody listens at {bootstrap_servers}: is Kafka running, and is the address right?")
        try:
            await topics.apply(kafka_connection(self._prepared.servers, self._prepared.environment))
        except (topics.TopicsError, topics.TopicMismatchError) as error:
            raise StackError(str(error)) from None

    async def _start_postgres(self) -> None:
        if self._prepared.postgres is not None:
            await self._step("postgres", self._prepared.postgres.start, self.addresses["postgres"])
        await self._step("migrations", self._migrate, "applied", doing="applying")

    async def _migrate(self) -> None:
        self._migration.start()
        try:
            async with asyncio.timeout(MIGRATION_SECONDS):
                code = await self._migration.exited()
        except TimeoutError:
            raise StackError(f"The migrations did not end within {MIGRATION_SECONDS} s.") from None
        if code:
            said = self._migration.last_log_lines(1)
            raise StackError(f"migrations: {said[0]}" if said else died_text(self._migration, code))

    async def _start_service(self, name: str, client: httpx.AsyncClient) -> None:
        await self._step(name, lambda: self._bring_up(name, client), service_url(name, self._prepared.ports))

    async def _bring_up(self, name: str, client: httpx.AsyncClient) -> str | None:
        """Start a service; return what is worth saying instead of its address."""
        child, url = self._services[name], service_url(name, self._prepared.ports)
        child.start()
        nothing_said = None
        try:
            await started(child, lambda: has_settled(url, client), within_seconds=SERVICE_START_SECONDS)
        except NotReadyError:
            nothing_said = "it does not answer"
        except StackError:
            if child.exit_code == WRONG_SETTING_EXIT_CODE:
                raise wrong_setting(child) from None
            raise
        # It may hold for a good reason (no engine for the active version, a wrong key), and holding loses nothing.
        reasons = "; ".join(await failed_checks(url, client)) or nothing_said
        return f"runs but is not ready: {reasons}" if reasons else None

    async def _step(self, part: str, work: Start, result: str, doing: str = "starting") -> None:
        self._reporter.begins(part, doing)
        said = await work()
        self._reporter.done(part, said or result)
        self._write_state()

    async def _stop_child(self, child: Child) -> None:
        self._reporter.begins(child.name, "stopping")
        await child.stop()
        self._reporter.done(child.name, "stopped")

    def _parts(self) -> list[Part]:
        servers = [server for server in (self._prepared.kafka, self._prepared.postgres) if server is not None]
        return [
            *(Part(server.child, server.start) for server in servers),
            *(Part(self._services[name], self._restart_of(name)) for name in SERVICES),
        ]

    def _restart_of(self, name: str) -> Start:
        async def restart() -> str | None:
            async with local_client() as client:
                return await self._bring_up(name, client)

        return restart

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._write_state()

    def _write_state(self) -> None:
        processes = {
            name: ProcessState(child.pid, child.started_at, child.restarts, str(child.command.log_file))
            for name, child in self.children.items()
            if child.pid is not None
        }
        pid, started_at = self._identity
        data = self._prepared.postgres.place.data if self._prepared.postgres else None
        state = StackState(self._phase, pid, started_at, self.addresses, processes, str(data) if data else None)
        write_state(self.home, state)


@asynccontextmanager
async def running_stack(
    prepared: PreparedStack, reporter: Reporter, made: Callable[[Stack], None] = lambda _: None
) -> AsyncIterator[Stack]:
    """Start the stack; stop it at the end, also when the start fails or is cancelled.

    `made` gets the stack before anything starts, for whoever must be able to kill it.
    """
    stack = Stack(prepared, reporter)
    made(stack)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Run all at once; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _addresses(prepared: PreparedStack) -> dict[str, str]:
    return {
        "ingress": service_url("ingress", prepared.ports),
        "analyzer": service_url("analyzer", prepared.ports),
        "read_api": service_url("sink", prepared.ports),
        "kafka": prepared.servers.kafka_bootstrap_servers,
        "postgres": without_password(prepared.servers.database_url),
    }


def without_password(url: str) -> str:
    """Return a URL that may be shown and stored."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    _, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}"))
