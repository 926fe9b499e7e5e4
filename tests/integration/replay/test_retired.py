"""A replay under a retired version: refused before anything is sent, stopped when it is retired on the way."""

import asyncio
import json

import asyncpg

from tests.builders import a_conversation
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import LaneEnds, accept, copies, stored
from tests.waiting import eventually

COUNT = 40
VERSION = "gone-p1"
BEGIN = ("replay", "--since", "1h", "--analysis-version", VERSION, "--new-version", "--yes")


async def accepted(deployment: Deployment) -> None:
    await accept(deployment, [a_conversation(f"c{number}", f"My parcel {number} is late.") for number in range(COUNT)])
    await stored(deployment, COUNT)


async def put(deployment: Deployment, state: str) -> None:
    """As a person's decision leaves the version."""
    connection = await asyncpg.connect(deployment.database_url)
    try:
        await connection.execute(
            "INSERT INTO analysis_versions (name, state) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET state = $2",
            VERSION,
            state,
        )
    finally:
        await connection.close()


async def test_it_is_refused_in_one_sentence_that_says_how_to_go_on(terminal: Terminal, deployment: Deployment) -> None:
    await accepted(deployment)
    await put(deployment, "retired")
    for more in ((), ("--dry-run",)):
        refused = await terminal.run(*BEGIN, *more)
        said = " ".join(refused.err.split())
        assert refused.code == 1, said
        assert f"The analysis version {VERSION} is retired" in said
        assert f"undertone versions trial {VERSION}" in said
    assert await copies(deployment) == []


async def test_one_that_is_retired_meanwhile_stops_and_goes_on_when_it_began_anew(
    terminal: Terminal, deployment: Deployment, lane: LaneEnds
) -> None:
    await accepted(deployment)
    sending = asyncio.create_task(terminal.run(*BEGIN, "--name", "late", "--rate", "2"))
    await eventually(lambda: lane.reached(1), within_seconds=60, what="a copy is on the lane")
    await put(deployment, "retired")
    stopped = await sending
    said = " ".join(stopped.err.split())
    assert stopped.code == 1, said
    assert "undertone replay cancel late" in said
    assert "undertone replay resume" not in said, "it would be refused"
    (late,) = json.loads((await terminal.run("replays", "--json")).out)["replays"]
    assert late["state"] == "paused"
    assert 0 < late["written"] < COUNT
    assert len(await copies(deployment)) == late["written"]
    await put(deployment, "candidate")
    assert (await terminal.run("replay", "resume", "late", "--rate", "0")).code == 0
    assert len(await copies(deployment)) == COUNT
