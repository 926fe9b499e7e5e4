"""A shell with a sink beside it, on topics and a database of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.deployment import Deployment, deployed
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal, terminal_on
from tests.integration.replay.lane import LaneEnds, lane_ends


@pytest.fixture
async def deployment(
    infrastructure: Infrastructure, kafka_topics: str, database_url: str, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A sink alone: the replay lane has no reader, so what is written to it stays as it is."""
    alone = Deployment(infrastructure.bootstrap_servers, database_url, tmp_path, kafka_topics)
    alone.add("sink")
    async with deployed(alone):
        await alone.start()
        yield alone


@pytest.fixture
def terminal(deployment: Deployment, tmp_path: Path) -> Terminal:
    """A shell whose Kafka and read API are the test's."""
    return terminal_on(deployment, tmp_path)


@pytest.fixture
async def lane(deployment: Deployment) -> AsyncIterator[LaneEnds]:
    """How far the replay topic is."""
    async with lane_ends(deployment) as ends:
        yield ends
