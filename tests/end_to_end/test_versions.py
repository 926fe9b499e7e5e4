"""A better model over everything, step by step, with kills and live traffic: nothing lost, doubled or paid for twice.

    UNDERTONE_VERSIONS=20000 python -m pytest -s tests/end_to_end/test_versions.py

is the full run; the suite's has 2,000 conversations.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from schemas.insight_produced import insight_id_of
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.http_client import http_client
from tests.integration.cli.commands import Ended, Terminal, terminal_on
from tests.integration.replay.lane import lane_ends
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import Running, running_simulator

COUNT = int(os.environ.get("UNDERTONE_VERSIONS", "2000"))
CHANNELS = ("chat", "mail", "phone")
FAST = Conduct(latency_seconds=0.01, seconds_per_output_token=0)
OLD, NEW = "offline-2", "simulated-p1"
FIRST, LIVE, LATER = 10_000, 50_000, 80_000  # numbers of five digits: no quote of one is found in another
PATIENCE_SECONDS = 120 + COUNT / 10


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    async with running_simulator(FAST) as running:
        yield running


@pytest.fixture
def engines(simulator: Running) -> dict[str, str]:
    """An analyzer that works offline, and has a model beside."""
    return {
        "ANALYZER_ENGINE": "offline",
        "ANALYZER_FURTHER_ENGINES": "simulated",
        "ANALYZER_LLM_BASE_URL": simulator.base_url,
        "ANALYZER_CALLS_PER_SECOND": "100",
        "ANALYZER_START_BATCH": "50",
        "ANALYZER_DAILY_BUDGET_USD": "unlimited",
        "XAI_API_KEY": "not-a-key",
    }


@pytest.fixture
async def pipeline(deployment: Deployment, engines: dict[str, str]) -> Deployment:
    deployment.add("ingress")
    deployment.add("analyzer", **engines)
    deployment.add("sink")
    await deployment.start()
    return deployment


@pytest.fixture
def terminal(pipeline: Deployment, engines: dict[str, str], tmp_path: Path) -> Terminal:
    return terminal_on(pipeline, tmp_path, **engines)


@pytest.mark.timeout(600 + COUNT // 10)
async def test_a_version_is_replayed_compared_promoted_and_rolled_back_beside_live_traffic(
    pipeline: Deployment, terminal: Terminal, simulator: Running
) -> None:
    conversations = numbered(COUNT, start=FIRST)
    for number, one in enumerate(conversations):
        one["channel"] = CHANNELS[number % len(CHANNELS)]
    accepted = await pipeline.post_until_accepted(conversations, chunk=500)
    await pipeline.settled(accepted, within_seconds=PATIENCE_SECONDS)
    third = sum(one["channel"] == "mail" for one in conversations)
    await run(terminal, "audit")
    await assert_a_slip_of_the_pen_changes_nothing(pipeline, terminal)

    async with live_traffic(pipeline) as live:
        await replay_with_two_kills(pipeline, terminal)
        await eventually(
            lambda: covers(pipeline, NEW, completed=third),
            within_seconds=PATIENCE_SECONDS,
            what="the replayed third is analysed",
        )
        await run(terminal, "audit")
        found = json.loads((await run(terminal, "versions", "diff", OLD, NEW, "--json")).out)
        assert (found["compared"], found["cost"]["a"]["cost_usd"]) == (third, 0)
        assert found["cost"]["b"]["cost_usd"] > 0

        refused = await post(pipeline, f"{NEW}/promotion", now=False)
        assert (refused.status_code, refused.json()["error"]) == (409, "coverage_incomplete")
        assert refused.json()["missing"] >= COUNT - third
        await run(terminal, "audit")
        await run(terminal, "versions", "promote", NEW, "--yes")
        assert (await standing(pipeline, NEW))["state"] == "active"
    accepted |= live
    await pipeline.settled(accepted, within_seconds=PATIENCE_SECONDS)
    await eventually(lambda: covers(pipeline, NEW, completed=len(accepted)), within_seconds=PATIENCE_SECONDS)
    await run(terminal, "audit")

    later = await pipeline.post_until_accepted(numbered(5, "later", start=LATER))
    accepted |= later
    await pipeline.settled(accepted, within_seconds=PATIENCE_SECONDS)
    refused_rollback = await terminal.run("versions", "rollback")
    lacking = (await standing(pipeline, OLD))["missing"]
    assert refused_rollback.code == 1
    assert f"{OLD} has no outcome of {lacking:,} conversation" in " ".join(refused_rollback.err.split())
    assert lacking >= len(later)
    await run(terminal, "versions", "rollback", "--now")
    await run(terminal, "audit")
    assert (await insights(pipeline))["missing_under_version"] == lacking
    await run(terminal, "versions", "promote", OLD, "--yes")
    assert (await insights(pipeline))["missing_under_version"] == 0
    await run(terminal, "audit")

    await assert_ids(pipeline, accepted)
    statistics = simulator.simulator.summary()["conversations"]
    repeated = await pipeline.the("analyzer").metric("undertone_analysis_repeated_total")
    assert statistics["answered_again"] <= repeated
    assert statistics["distinct"] == len(accepted)


async def assert_a_slip_of_the_pen_changes_nothing(pipeline: Deployment, terminal: Terminal) -> None:
    for command in ("trial", "promote"):
        refused = await terminal.run("versions", command, "oflfine-1")
        assert refused.code == 2
        assert "Nothing is known under the analysis version oflfine-1" in " ".join(refused.err.split())
        refused = await terminal.run("versions", command, "oflfine-1", "--new-version")
        assert refused.code == 2
        assert "No analyzer has oflfine-1: live traffic waits" in " ".join(refused.err.split())
    async with http_client(timeout=10) as client:
        told = (await client.get(f"{pipeline.the('sink').url}/api/v1/versions")).json()
    assert [(one["analysis_version"], one["offered_by"]) for one in told["versions"]] == [(OLD, ["analyzer-1"])]
    assert {version for one in told["analyzers"] for version in one["analysis_versions"]} == {OLD, NEW}


async def replay_with_two_kills(pipeline: Deployment, terminal: Terminal) -> None:
    """A filtered third under the new version; the command is killed twice while it sends."""
    begin = ("replay", "--since", "1h", "--channel", "mail", "--analysis-version", NEW, "--new-version")
    async with lane_ends(pipeline) as lane:
        killed = await terminal.run_until(
            lambda: lane.reached(COUNT // 20), signal.SIGKILL, *begin, "--name", "third", "--rate", "100", "--yes"
        )
        assert killed.code == -signal.SIGKILL
        at_kill = await lane.count()
        killed = await terminal.run_until(
            lambda: lane.reached(at_kill + COUNT // 20), signal.SIGKILL, "replay", "resume", "third"
        )
        assert killed.code == -signal.SIGKILL
    await run(terminal, "replay", "resume", "third", "--rate", "0")


@asynccontextmanager
async def live_traffic(pipeline: Deployment) -> AsyncIterator[set[str]]:
    """A conversation every now and then; the ids of those that were accepted."""
    accepted: set[str] = set()
    stop = asyncio.Event()

    async def post_some() -> None:
        number = 0
        while not stop.is_set():
            accepted.update(await pipeline.post_until_accepted(numbered(1, "live", start=LIVE + number)))
            number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)

    posting = asyncio.create_task(post_some())
    try:
        yield accepted
    finally:
        stop.set()
        await posting


async def run(terminal: Terminal, *arguments: str) -> Ended:
    ended = await terminal.run(*arguments, within_seconds=PATIENCE_SECONDS)
    assert ended.code == 0, f"{arguments}: {ended.out}{ended.err}"
    return ended


async def post(pipeline: Deployment, what: str, **members: Any) -> Any:
    async with http_client(timeout=60) as client:
        return await client.post(f"{pipeline.the('sink').url}/api/v1/versions/{what}", json=members)


async def standing(pipeline: Deployment, version: str) -> dict[str, Any]:
    async with http_client(timeout=10) as client:
        answer = await client.get(f"{pipeline.the('sink').url}/api/v1/versions")
    found: list[dict[str, Any]] = [one for one in answer.json()["versions"] if one["analysis_version"] == version]
    assert found, f"nothing is known under {version}"
    return found[0]


async def covers(pipeline: Deployment, version: str, *, completed: int) -> bool:
    counts = (await standing(pipeline, version))["counts"]
    assert counts == {"completed": completed, "skipped": 0, "failed": 0}
    return True


async def insights(pipeline: Deployment) -> dict[str, Any]:
    """What is said of the list that readers see by default."""
    async with http_client(timeout=10) as client:
        answer = await client.get(f"{pipeline.the('sink').url}/api/v1/insights", params={"limit": 1})
    metadata: dict[str, Any] = answer.json()["metadata"]
    return metadata


async def assert_ids(pipeline: Deployment, accepted: set[str]) -> None:
    """Each conversation has one insight under each version, and its id is what anybody computes."""
    connection = await asyncpg.connect(pipeline.database_url)
    try:
        rows = await connection.fetch(
            """
            SELECT insight_id, conversation_id, encode(content_hash, 'hex') AS content_hash, name
            FROM insights JOIN analysis_versions USING (version_id)
            """
        )
    finally:
        await connection.close()
    assert sorted((row["conversation_id"], row["name"]) for row in rows) == sorted(
        (conversation_id, version) for conversation_id in accepted for version in (OLD, NEW)
    )
    for row in rows:
        assert row["insight_id"] == insight_id_of(row["conversation_id"], row["content_hash"], row["name"])
