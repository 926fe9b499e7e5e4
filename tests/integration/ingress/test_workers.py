"""Several workers on one port: all serve, all count, and they end together."""

import asyncio
import os
import re
import signal

import httpx
import psutil

from tests.http_client import http_client
from tests.integration.ingress.test_process import start
from tests.waiting import eventually
from undertone.embedded.ports import free_port


def workers_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children()]


async def posts_counted(url: str) -> int:
    async with http_client(base_url=url) as client:
        written = (await client.get("/metrics")).text
    return sum(
        int(float(count))
        for count in re.findall(r'undertone_http_request_seconds_count\{method="POST".*?\} (\S+)', written)
    )


async def gauges_by_process(url: str) -> list[str]:
    """Gauges that would need adding up by whoever reads them."""
    async with http_client(base_url=url) as client:
        written = (await client.get("/metrics")).text
    assert "undertone_sends_waiting " in written
    return [line for line in written.splitlines() if 'pid="' in line]


async def is_live(url: str) -> bool:
    try:
        async with http_client(base_url=url) as client:
            return (await client.get("/livez")).status_code == 200
    except httpx.TransportError:
        return False


async def test_workers_share_a_port_and_any_of_them_counts_for_all() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = await start(INGRESS_PORT=str(port), INGRESS_WORKERS="2", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    try:
        await eventually(lambda: len(workers_of(process.pid)) == 2)
        await eventually(lambda: is_live(url), what="a worker answers")
        for _ in range(20):  # a connection each, so that the kernel spreads them
            async with http_client(base_url=url) as client:
                assert (await client.post("/api/v1/conversations", content=b"nonsense")).status_code == 415
        for _ in range(5):
            assert await posts_counted(url) == 20
        assert await gauges_by_process(url) == []
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0


async def test_when_a_worker_dies_the_service_ends_and_says_so() -> None:
    port = free_port()
    process = await start(INGRESS_PORT=str(port), INGRESS_WORKERS="2", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    await eventually(lambda: len(workers_of(process.pid)) == 2)
    survivor, victim = workers_of(process.pid)
    await eventually(lambda: is_live(f"http://127.0.0.1:{port}"), what="a worker answers")
    os.kill(victim, signal.SIGKILL)
    _, written = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 70
    assert b"worker_ended" in written
    assert not psutil.pid_exists(survivor)


async def test_workers_do_not_outlive_a_killed_parent() -> None:
    process = await start(INGRESS_PORT=str(free_port()), INGRESS_WORKERS="2", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    await eventually(lambda: len(workers_of(process.pid)) == 2)
    workers = workers_of(process.pid)
    await eventually(lambda: all(_has_started(worker) for worker in workers), what="the workers serve")
    process.kill()
    await eventually(lambda: not any(psutil.pid_exists(worker) for worker in workers), what="the workers are gone")


def _has_started(pid: int) -> bool:
    return bool(psutil.Process(pid).net_connections(kind="tcp"))
