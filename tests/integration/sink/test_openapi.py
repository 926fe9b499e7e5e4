"""The read API does what its OpenAPI document says: schemathesis tries to show otherwise on a running server."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case

from services.runtime.kafka import KafkaConnection
from services.sink.app import create_app
from services.sink.resources import Resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.infrastructure.own_loop import run_in_own_loop
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting

_START_SECONDS = 60


async def _fill(url: str) -> None:
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        sink = await Sink(pool).claim()
        rows = [posting(f"c{number}", "words", number) for number in range(5)]
        await sink.store_mixed(rows, [insight(f"c{number}", "words", number, at=NOW) for number in range(4)])
        await sink.finish(failure("c4", "words", 4))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def address(infrastructure: Infrastructure, migrated_template_name: str) -> Iterator[str]:
    """A read API in a process of its own, over a few rows."""
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        run_in_own_loop(_fill(url))
        port = _free_port()
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers,
            "SINK_PORT": str(port),
            "LOG_LEVEL": "ERROR",
            "SINK_CLIENT_LIMIT": "off",  # every case must reach its route
        }
        process = subprocess.Popen([sys.executable, "-m", "services.sink", "--role", "api"], env=environment)
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(30) == 0


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the read API ended by itself"
        try:
            if httpx.get(url, verify=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the read API was not ready in time")


_BEYOND_A_SCHEMA = {"start_time", "end_time", "cursor", "tz"}


_NOTHING: Any = None
_RESOURCES = Resources(
    KafkaConnection(""), _NOTHING, _NOTHING, _NOTHING, _NOTHING, "test", _NOTHING, _NOTHING, _NOTHING
)
_DOCUMENTED = create_app(SinkSettings(), _RESOURCES, Role.API, None)
# A stream has no end that this could wait for: test_stream.py has tests of its own.
schema = schemathesis.openapi.from_dict(_DOCUMENTED.openapi()).exclude(path="/api/v1/insights/stream")


@schema.hook
def map_query(_: schemathesis.HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Leave out what a schema cannot say: a window must not be inverted, and a cursor is one that a page gave."""
    return query and {name: value for name, value in query.items() if name not in _BEYOND_A_SCHEMA}


@pytest.mark.no_cover  # computes for long, and what it runs is counted elsewhere
@schema.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # examples from parts of the document would not pass through map_query
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_documented(address: str, case: Case[Any]) -> None:
    case.call_and_validate(base_url=address)
