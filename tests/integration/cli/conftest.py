"""A shell with an ingress beside it, on topics of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.deployment import Deployment, deployed
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal, terminal_on


@pytest.fixture
async def deployment(infrastructure: Infrastructure, kafka_topics: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An ingress alone: what it accepted stays in the topic."""
    alone = Deployment(infrastructure.bootstrap_servers, "", tmp_path, kafka_topics)
    alone.add("ingress")
    async with deployed(alone):
        yield alone


@pytest.fixture
async def terminal(deployment: Deployment, tmp_path: Path) -> Terminal:
    """A shell whose ingress and Kafka are the test's."""
    await deployment.start()
    return terminal_on(deployment, tmp_path)
