"""The demo as a newcomer meets it, then everything that it says one can do next."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, STARTED
from tests.integration.cli.commands import Ended, Terminal
from tests.waiting import eventually
from undertone.embedded.ports import free_port

PORTS = ("INGRESS", "ANALYZER", "READ_API", "KAFKA", "KAFKA_CONTROLLER", "POSTGRES")


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A folder in which nothing was ever run, and nothing runs afterwards."""
    shell = Terminal(tmp_path, {f"UNDERTONE_{name}_PORT": str(free_port()) for name in PORTS})
    try:
        yield shell
    finally:
        await shell.run("down", "--purge", "--yes")


async def _curl(lines: list[str]) -> Any:
    """Run a call as it was printed."""
    process = await asyncio.create_subprocess_shell(
        "\n".join(lines), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return json.loads(out)


def _printed_calls(ended: Ended) -> list[list[str]]:
    """The curl calls that the demo printed; one that goes over several lines ends them with a backslash."""
    calls: list[list[str]] = []
    for line in ended.out.splitlines():
        if line.strip().startswith("curl "):
            calls.append([line])
        elif calls and calls[-1][-1].endswith("\\"):
            calls[-1].append(line)
    return calls


async def _processes_of(folder: Path) -> list[str]:
    process = await asyncio.create_subprocess_exec("ps", "-eo", "args", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return [line for line in out.decode().splitlines() if str(folder) in line]


async def _is_well(terminal: Terminal, conversations: int) -> bool:
    """Whether `status --json` says what is true of a stack of ours that has finished so many conversations."""
    ended = await terminal.run("status", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["running"], told["healthy"], told["problems"]) == (0, True, True, [])
    assert told["home"] == str(terminal.folder / ".undertone")
    assert told["engine"] == "offline"
    assert told["analysis_version"]
    assert sum(told["conversations"].values()) == conversations
    assert told["oldest_unfinished"] is None
    assert told["lag"] == {topic.name: 0 for topic in (RECEIVED, ANALYZED, STARTED, DEAD_LETTER)}
    assert told["today"]["cost_usd"] == 0
    ports = {name: int(terminal.environment[f"UNDERTONE_{name.upper()}_PORT"]) for name in told["addresses"]}
    assert set(ports) == {"ingress", "analyzer", "read_api", "kafka", "postgres"}
    assert all(f"127.0.0.1:{port}" in told["addresses"][name] for name, port in ports.items())
    assert list(told["processes"]) == ["kafka", "postgres", "ingress", "analyzer", "sink"]
    for process in told["processes"].values():
        assert (process["ready"], process["restarts"], process["failed_checks"]) == (True, 0, [])
        assert psutil.pid_exists(process["pid"])
        assert process["rss_bytes"] > 1_000_000
        assert 0 < process["uptime_seconds"] <= told["uptime_seconds"] + 1
    return True


async def test_the_demo_accounts_for_every_conversation_and_what_it_says_next_works(
    terminal: Terminal, tmp_path: Path
) -> None:
    with_a_key = Terminal(tmp_path, {**terminal.environment, "XAI_API_KEY": "a key that must not be used"})
    first = await with_a_key.run("demo", within_seconds=180)
    assert first.code == 0, first.err
    assert "272 accepted = " in first.out
    for part in ("How customers felt", "What it was about", "In their own words", "How long it took", "How to go on"):
        assert part in first.out
    summary = first.out[first.out.index("272 accepted") :]
    assert all(len(line) <= 80 for line in summary.splitlines())
    assert await _processes_of(tmp_path) == []

    assert (await terminal.run("up", "--detach", "--free-ports", within_seconds=120)).code == 0
    again = await terminal.run("demo")
    assert again.code == 0, again.err
    assert "runs here already" in again.out
    assert again.out.split("272 accepted = ")[1].split("\n")[0] == first.out.split("272 accepted = ")[1].split("\n")[0]

    await eventually(partial(_is_well, terminal, 272), what="status tells of a healthy stack that has done all")

    listed = json.loads((await terminal.run("insights", "--since", "8d", "--limit", "300", "--json")).out)
    completed = int(first.out.split("272 accepted = ")[1].split(" completed")[0])
    assert listed["metadata"]["total_count"] == len(listed["insights"]) == completed
    assert {insight["path"] for insight in listed["insights"]} == {"offline"}
    shown = await terminal.run("show", listed["insights"][0]["conversation_id"])
    assert shown.code == 0
    assert "customer" in shown.out
    assert (await terminal.run("show", listed["insights"][0]["insight_id"])).out == shown.out
    assert f"{completed} insights in 8 days" in (await terminal.run("trends", "--days", "8")).out
    elsewhere = await terminal.run("insights", "--since", "2020-01-01", "--until", "2020-02-01")
    assert "There are insights from" in elsewhere.out
    missing = await terminal.run("show", "nobody")
    assert (missing.code, missing.err.count("\n")) == (1, 1)

    if shutil.which("curl"):
        trends, conversation, accepted = [await _curl(call) for call in _printed_calls(first)]
        assert trends["total_insights"] == completed
        assert conversation["turns"]
        assert accepted["status"] == "accepted"
    assert (await terminal.run("down")).code == 0
    assert await _processes_of(tmp_path) == []
    stopped = await terminal.run("status", "--json")
    assert stopped.code == 3
    assert json.loads(stopped.out)["running"] is False
