"""`undertone up`, `down` and `status` as a person runs them: real processes, real signals, exit codes."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.embedded.settings import StackSettings
from undertone.embedded.state import StackState, read_state


@pytest.fixture
def environment(
    stack_settings: StackSettings, infrastructure: Infrastructure, stand_in_environment: dict[str, str]
) -> dict[str, str]:
    return {
        **os.environ,
        **stand_in_environment,
        "UNDERTONE_HOME": str(stack_settings.home),
        "UNDERTONE_INGRESS_PORT": str(stack_settings.ingress_port),
        "UNDERTONE_ANALYZER_PORT": str(stack_settings.analyzer_port),
        "UNDERTONE_READ_API_PORT": str(stack_settings.read_api_port),
        "UNDERTONE_KAFKA": infrastructure.bootstrap_servers,
        "UNDERTONE_POSTGRES": infrastructure.postgres_url,
        "COLUMNS": "200",
    }


async def undertone(environment: dict[str, str], *words: str) -> tuple[int, str]:
    process = await start(environment, *words)
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def start(environment: dict[str, str], *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "undertone", *words, env=environment, stdout=PIPE, stderr=STDOUT
    )


def state_of(environment: dict[str, str]) -> StackState | None:
    return read_state(Path(environment["UNDERTONE_HOME"]))


async def until_running(environment: dict[str, str]) -> StackState:
    def running() -> StackState | None:
        state = state_of(environment)
        return state if state and state.is_alive and state.phase == "running" else None

    return await eventually(running, within_seconds=60, what="the stack runs") or pytest.fail("it does not run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_stops_everything_in_order_and_shows_no_traceback(
    environment: dict[str, str], number: signal.Signals
) -> None:
    up = await start(environment, "up")
    assert up.stdout is not None
    begun = await asyncio.wait_for(up.stdout.readuntil(b"the data stays"), 60)
    state = await until_running(environment)
    assert len(state.survivors) == 3
    assert b"Undertone runs." in begun
    up.send_signal(number)
    output = (await up.communicate())[0].decode()
    assert up.returncode == 0, output
    assert state.survivors == {}
    assert "Traceback" not in output
    assert re.search(r"analyzer +stopped.*sink +stopped", output, re.DOTALL)


async def test_detached_it_outlives_the_command_and_down_stops_it(environment: dict[str, str]) -> None:
    code, output = await undertone(environment, "up", "--detach")
    assert code == 0, output
    state = state_of(environment)
    assert state is not None
    assert state.is_alive
    code, output = await undertone(environment, "up")
    assert code == 0
    assert f"runs already on {environment['UNDERTONE_HOME']} (pid {state.pid})" in output
    code, output = await undertone(environment, "down", "--purge")
    assert code == 2
    assert "Nobody can be asked here: add --yes. Nothing was done." in output
    assert state.is_alive
    code, output = await undertone(environment, "down", "--purge", "--yes")
    assert code == 0, output
    assert not state.is_alive
    assert state.survivors == {}
    assert state_of(environment) is None
    assert not await asyncio.to_thread(Path(environment["UNDERTONE_HOME"]).exists)
    assert (await undertone(environment, "status"))[0] == 3


async def test_what_a_killed_up_left_behind_is_seen_and_stopped(environment: dict[str, str]) -> None:
    up = await start(environment, "up")
    state = await until_running(environment)
    up.kill()
    await up.wait()
    assert len(state.survivors) == 3
    code, output = await undertone(environment, "status", "--json")
    assert code == 1
    assert any("was killed" in problem for problem in json.loads(output)["problems"])
    code, output = await undertone(environment, "down")
    assert code == 0, output
    assert state.survivors == {}


async def test_an_up_after_a_killed_one_stops_the_leftovers_and_runs(environment: dict[str, str]) -> None:
    first = await start(environment, "up")
    left = await until_running(environment)
    first.kill()
    await first.wait()
    second = await start(environment, "up")
    await eventually(lambda: not left.survivors, what="the leftovers are gone")
    await until_running(environment)
    second.send_signal(signal.SIGINT)
    await second.communicate()
    assert second.returncode == 0


async def test_a_taken_port_is_named_with_its_setting(environment: dict[str, str]) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", int(environment["UNDERTONE_INGRESS_PORT"]))
    async with server:
        code, output = await undertone(environment, "up")
    assert code == 1
    assert f"Port {environment['UNDERTONE_INGRESS_PORT']} is taken" in output
    assert "UNDERTONE_INGRESS_PORT" in output
    assert "--free-ports" in output


async def test_free_ports_picks_another_for_a_taken_one(environment: dict[str, str]) -> None:
    port = environment["UNDERTONE_INGRESS_PORT"]
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", int(port))
    async with server:
        up = await start(environment, "up", "--free-ports")
        state = await until_running(environment)
        up.send_signal(signal.SIGINT)
        await up.communicate()
    assert state.addresses["ingress"] != f"http://127.0.0.1:{port}"
    assert state.addresses["read_api"] == f"http://127.0.0.1:{environment['UNDERTONE_READ_API_PORT']}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "UNDERTONE_INGRESS_PORT",
            "eight",
            "UNDERTONE_INGRESS_PORT is wrong: it must be a whole number, and is 'eight'",
        ),
        ("UNDERTONE_INGRESS_PORT", "70000", "UNDERTONE_INGRESS_PORT is wrong"),
        ("UNDERTONE_KAFKA", "no-port", "--kafka wants HOST:PORT"),
        ("UNDERTONE_POSTGRES", "mysql://x/y", "--postgres wants postgresql://"),
        ("INGRESS_HOST", "0.0.0.0", "INGRESS_HOST is set, but what `undertone up` starts is for this machine alone"),
        ("ANALYZER_CALLS_PER_SECOND", "many", "ANALYZER_CALLS_PER_SECOND: must be a number (it is 'many')"),
        ("ANALYZER_DAILY_BUDGET_USD", "inf", "BUDGET_USD: must be a finite number or 'unlimited' (it is 'inf')"),
        ("ANALYZER_FURTHER_ENGINES", "offline", "ANALYZER_FURTHER_ENGINES names offline, but"),
        ("SINK_RETENTION_DAYS", "few", "SINK_RETENTION_DAYS: must be"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: must be"),
        ("API_KEYS", "secret", "API_KEYS: entry 1 is not NAME:SCOPE+SCOPE:SHA256"),
    ],
)
async def test_a_wrong_setting_ends_with_one_line(
    environment: dict[str, str], name: str, value: str, said: str
) -> None:
    """The first line is the last: nothing was started, of which the start would have told."""
    for mode in ([], ["--detach"]):
        code, output = await undertone({**environment, name: value}, "up", *mode)
        assert code == 2
        assert said in output
        assert len(output.splitlines()) == 1


async def test_a_kafka_that_does_not_answer_is_named(environment: dict[str, str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    code, output = await undertone({**environment, "UNDERTONE_KAFKA": address}, "up")
    assert code == 1
    assert address in output
    assert "Traceback" not in output
