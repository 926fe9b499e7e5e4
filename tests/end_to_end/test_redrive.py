"""Dead letters are sent again after their cause is mended, although the sink is killed while it sends them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from schemas.dead_letter import REDRIVEN_FROM
from schemas.topics import RECEIVED
from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import read_all
from tests.integration.cli.commands import Ended, Terminal, terminal_on
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.server import Running, running_simulator

COUNT = 500
FAST = Conduct(latency_seconds=0.01, seconds_per_output_token=0)
QUOTES_NOBODY = FAST.model_copy(update={"faults": (Fault(kind=FaultKind.NO_EVIDENCE, share=1.0),)})


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    async with running_simulator(QUOTES_NOBODY) as running:
        yield running


@pytest.fixture
async def pipeline_on_llm(deployment: Deployment, simulator: Running) -> Deployment:
    """One service of each kind; the analyzer asks the simulator, and gives up on a conversation soon."""
    deployment.add("ingress")
    deployment.add(
        "analyzer",
        ANALYZER_ENGINE="llm",
        ANALYZER_LLM_BASE_URL=simulator.base_url,
        ANALYZER_LLM_MODEL="simulated",
        ANALYZER_CALLS_PER_SECOND="200",
        ANALYZER_START_BATCH="50",
        ANALYZER_DAILY_BUDGET_USD="unlimited",
        XAI_API_KEY="not-a-key",
    )
    deployment.add("sink")
    await deployment.start()
    return deployment


async def test_500_dead_letters_are_redriven_once_although_the_sink_is_killed(
    pipeline_on_llm: Deployment, simulator: Running, tmp_path: Path
) -> None:
    pipeline = pipeline_on_llm
    terminal = terminal_on(pipeline, tmp_path)
    accepted = await pipeline.post_until_accepted(numbered(COUNT))
    await pipeline.settled(accepted)
    await eventually(partial(letters_are, pipeline, {"waiting": COUNT}), what="each has failed and is a dead letter")
    assert (await pipeline.status())["conversations"]["failed"] == COUNT

    simulator.simulator.conduct = FAST
    sending = asyncio.create_task(redrive(terminal))
    await eventually(partial(has_begun, pipeline), every_seconds=0.01, what="the first letters are being sent")
    await pipeline.the("sink").kill()
    await sending  # it may have been done by then, or say that the read API broke off
    await pipeline.the("sink").restart()
    ended = await redrive(terminal)
    assert ended.code == 0, ended.err

    await eventually(
        partial(all_complete, pipeline), within_seconds=120, every_seconds=0.2, what="every conversation is completed"
    )
    await assert_exact(pipeline.database_url, accepted)
    assert await letters_are(pipeline, {"redriven": COUNT})
    copies = await copies_of(pipeline)
    assert len(copies) == COUNT
    assert set(copies.values()) == {1}

    again = await redrive(terminal)
    assert (again.code, "nothing of it waits" in again.out) == (0, True)
    assert await copies_of(pipeline) == copies
    audit = await terminal.run("audit", within_seconds=120)
    assert audit.code == 0, audit.out
    counted = json.loads((await terminal.run("audit", "flow", "--json", within_seconds=120)).out)
    of_received = counted["records"][RECEIVED.name]  # by hour
    assert sum(hour.get("copied", 0) for hour in of_received) == COUNT
    assert sum(hour.get("stored", 0) for hour in of_received) == COUNT


async def redrive(terminal: Terminal) -> Ended:
    return await terminal.run("dlq", "redrive", "--all", "--yes", within_seconds=240)


async def fetch(pipeline: Deployment, query: str) -> list[Any]:
    connection = await asyncpg.connect(pipeline.database_url)
    try:
        rows: list[Any] = await connection.fetch(query)
    finally:
        await connection.close()
    return rows


async def letters_are(pipeline: Deployment, expected: dict[str, int]) -> bool:
    rows = await fetch(pipeline, "SELECT state, count(*) AS letters FROM dead_letters GROUP BY 1")
    found = {row["state"]: row["letters"] for row in rows}
    assert found == expected, found
    return True


async def has_begun(pipeline: Deployment) -> bool:
    return bool(await fetch(pipeline, "SELECT FROM dead_letters WHERE state <> 'waiting' LIMIT 1"))


async def all_complete(pipeline: Deployment) -> bool:
    counts = (await pipeline.status())["conversations"]
    assert counts["completed"] == COUNT, counts
    return True


async def copies_of(pipeline: Deployment) -> Counter[bytes]:
    """How often each dead letter stands in the topic that it came from."""
    records = await read_all(pipeline, RECEIVED)
    return Counter(content for record in records for name, content in record.headers if name == REDRIVEN_FROM)
