"""Servers of the benchmark's own: a Kafka in a temporary folder, an ingress without limits; both gone afterwards."""

import asyncio
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import psutil

from services.runtime.kafka import KafkaConnection
from undertone.embedded.fetch import require_embedded_extra
from undertone.embedded.kafka import EmbeddedKafka
from undertone.embedded.ports import LOOPBACK, free_port
from undertone.embedded.process import Child, Command, started
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import Reporter
from undertone.embedded.services import is_ready, local_client
from undertone.embedded.settings import load_stack_settings
from undertone.topics import apply

_START_SECONDS = 60.0
_MIB = 1024 * 1024


@dataclass(frozen=True)
class ServerProcess:
    """A server that we started, with what it has used so far."""

    url: SplitResult
    child: Child

    def cpu_seconds(self) -> float:
        """CPU time of the process and its children, user and system."""
        return sum(_cpu_seconds(process) for process in self._processes())

    def memory_mib(self) -> float:
        """Resident memory of the process and its children."""
        return sum(process.memory_info().rss for process in self._processes()) / _MIB

    def _processes(self) -> list[psutil.Process]:
        assert self.child.pid is not None
        process = psutil.Process(self.child.pid)
        return [process, *process.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def temporary_kafka(reporter: Reporter) -> AsyncIterator[KafkaConnection]:
    """A Kafka of our own, empty. Raises StackError when it cannot be had."""
    require_embedded_extra()
    program = await asyncio.to_thread(ready_program, load_stack_settings().cache_dir, reporter)
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as name:
        folder = Path(name)
        kafka = EmbeddedKafka(folder / "kafka", program, free_port(), free_port(), folder / "kafka.log")
        reporter.begins("Kafka", "starting")
        try:
            await kafka.start()
            reporter.done("Kafka", kafka.bootstrap_servers)
            yield KafkaConnection(kafka.bootstrap_servers)
        finally:
            await kafka.stop()


@asynccontextmanager
async def own_topics(kafka: KafkaConnection) -> AsyncIterator[KafkaConnection]:
    """The contract's topics under a prefix that nobody else has, so that nothing analyses what we post."""
    prefixed = replace(kafka, topic_prefix=f"{kafka.topic_prefix}bench-{uuid.uuid4().hex[:8]}.")
    await apply(prefixed)
    yield prefixed


@asynccontextmanager
async def own_ingress(kafka: KafkaConnection, settings: Mapping[str, str]) -> AsyncIterator[ServerProcess]:
    """An ingress on a free port that takes as many requests as come; `settings` are environment variables."""
    port = free_port()
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "INGRESS_HOST": LOOPBACK,
        "INGRESS_PORT": str(port),
        "INGRESS_REQUESTS_PER_SECOND": "0",
        "INGRESS_CLIENT_LIMIT": "",
        "INGRESS_ANONYMOUS_LIMIT": "",
        "API_KEYS": "",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    async with server_process((sys.executable, "-m", "services.ingress"), "ingress", port, environment) as server:
        yield server


@asynccontextmanager
async def server_process(
    argv: tuple[str, ...], name: str, port: int, environment: Mapping[str, str]
) -> AsyncIterator[ServerProcess]:
    """A server that answers /readyz once it can work. Raises StackError with its last words when it does not."""
    url = f"http://{LOOPBACK}:{port}"
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as folder:
        child = Child(Command(name, argv, Path(folder) / f"{name}.log", environment))
        try:
            child.start()
            async with local_client() as client:
                await started(child, lambda: is_ready(url, client), within_seconds=_START_SECONDS)
            yield ServerProcess(urlsplit(url), child)
        finally:
            await child.stop()
