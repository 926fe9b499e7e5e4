"""The ingress as a process: how it starts, what it says, how it ends."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import httpx
import pytest

from tests.http_client import http_client
from tests.waiting import eventually
from undertone.embedded.ports import free_port


async def start(**environment: str) -> Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("INGRESS_", "API_KEYS"))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ingress", env={**clean, **environment}, stdout=PIPE, stderr=PIPE
    )


async def test_it_starts_without_kafka_and_ends_with_0_on_sigterm() -> None:
    port = free_port()
    process = await start(INGRESS_PORT=str(port), KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    try:
        async with http_client(base_url=f"http://127.0.0.1:{port}") as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, what="the process answers")
            assert (await client.get("/readyz")).status_code == 503
    finally:
        process.send_signal(signal.SIGTERM)
        _, written = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in written.splitlines()]
    assert {"listening", "draining"} <= set(events)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"INGRESS_PORT": "0"}, "INGRESS_PORT: "),
        ({"INGRESS_HOST": "0.0.0.0"}, "INGRESS_HOST: 0.0.0.0 can be reached from outside and API_KEYS is empty"),
        ({"INGRESS_HOST": "192.0.2.1", "ALLOW_ANONYMOUS": "true"}, "INGRESS_HOST: cannot listen on 192.0.2.1"),
        ({"API_KEYS": "ut_secret"}, "API_KEYS: entry 1 is not"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "nonsense"}, "KAFKA_BOOTSTRAP_SERVERS: must be HOST:PORT"),
    ],
)
async def test_a_wrong_setting_ends_the_start_with_one_line(environment: dict[str, str], said: str) -> None:
    process = await start(**{"INGRESS_PORT": str(free_port()), **environment})
    _, written = await asyncio.wait_for(process.communicate(), 20)
    (line,) = written.decode().splitlines()
    assert process.returncode == 2
    assert line.startswith(said)
    assert "ut_secret" not in line
