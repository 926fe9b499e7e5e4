"""Two versions over some conversations, and who decides on them."""

import pytest

from services.sink.versioning.deciding import Decisions
from tests.integration.sink.harness import Sink
from tests.integration.sink.versions.world import World


@pytest.fixture
def world(sink: Sink) -> World:
    return World(sink, Decisions(sink.pool))
