from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import MAX_RECORD_BYTES
from services.analyzer.engine import Engine
from services.runtime.kafka import KafkaConnection
from tests.infrastructure import Infrastructure
from tests.integration.analyzer.analyzers import InProcess, OwnProcess
from tests.integration.analyzer.world import World

StartHere = Callable[..., Awaitable[InProcess]]
StartApart = Callable[..., Awaitable[OwnProcess]]


@pytest.fixture
def connection(infrastructure: Infrastructure, kafka_topics: str) -> KafkaConnection:
    return KafkaConnection(infrastructure.bootstrap_servers, topic_prefix=kafka_topics, group_prefix=kafka_topics)


@pytest.fixture
async def world(connection: KafkaConnection) -> AsyncIterator[World]:
    producer = AIOKafkaProducer(
        **connection.client_options(), acks="all", linger_ms=2, max_request_size=2 * MAX_RECORD_BYTES
    )
    await producer.start()
    opened = World(connection, producer)
    yield opened
    await opened.close()


@pytest.fixture
async def start_here(connection: KafkaConnection) -> AsyncIterator[StartHere]:
    """Start analyzers in this process; those that a test left running are stopped."""
    started: list[InProcess] = []

    async def start(*engines: Engine, **overrides: Any) -> InProcess:
        overrides.setdefault("drain_seconds", 2)
        analyzer = await InProcess.start(connection, *engines, **overrides)
        started.append(analyzer)
        return analyzer

    yield start
    for analyzer in started:
        await analyzer.stop()


@pytest.fixture
async def start_apart(connection: KafkaConnection, tmp_path: Path) -> AsyncIterator[StartApart]:
    """Start analyzers as processes of their own; those that a test left running are killed."""
    started: list[OwnProcess] = []

    async def start(name: str = "analyzer", **variables: str) -> OwnProcess:
        analyzer = await OwnProcess.start(connection, tmp_path / f"{name}.log", **variables)
        started.append(analyzer)
        return analyzer

    yield start
    for analyzer in started:
        await analyzer.kill()
