"""The simulator over HTTP and as a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http_client import http_client
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import Running, running_simulator
from undertone.simulator.statistics import content_digest

QUESTION = {"model": "grok-4.3", "messages": [{"role": "user", "content": "[[ab\ncustomer: My parcel is late.\nab]]"}]}


async def call(simulator: Running, **changes: Any) -> httpx.Response:
    async with http_client(base_url=simulator.base_url) as client:
        return await client.post("/chat/completions", json=QUESTION | changes)


async def test_it_answers_as_a_provider_does(simulator: Running) -> None:
    answer = (await call(simulator)).json()

    results = json.loads(answer["choices"][0]["message"]["content"])["results"]
    assert [result["id"] for result in results] == ["ab"]
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    assert answer["usage"]["cost_in_usd_ticks"] > 0


async def test_calls_above_the_limit_are_answered_429_with_the_time_to_wait(simulator: Running) -> None:
    simulator.simulator.conduct = Conduct(latency_seconds=0, seconds_per_output_token=0, calls_per_second=3)

    async with http_client(base_url=simulator.base_url) as client:
        answers = await asyncio.gather(*(client.post("/chat/completions", json=QUESTION) for _ in range(5)))

    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) == 2
    assert {answer.headers["retry-after"] for answer in limited} == {"1"}
    assert simulator.simulator.statistics.outcomes == {"answered": 3, "over_limit": 2}
    assert simulator.simulator.summary()["calls"]["most_in_a_second"] == 5


async def test_tokens_above_the_limit_are_answered_429(simulator: Running) -> None:
    simulator.simulator.conduct = Conduct(latency_seconds=0, seconds_per_output_token=0, tokens_per_minute=10)

    assert (await call(simulator)).status_code == 200
    assert (await call(simulator)).status_code == 429


async def test_an_answer_takes_the_latency_and_the_time_of_its_tokens(simulator: Running) -> None:
    simulator.simulator.conduct = Conduct(latency_seconds=0.2, seconds_per_output_token=0.002)
    loop = asyncio.get_running_loop()

    began = loop.time()
    tokens = (await call(simulator)).json()["usage"]["completion_tokens"]

    assert 0.2 + 0.002 * tokens <= loop.time() - began < 5


@pytest.mark.parametrize(
    "changes", [{"messages": []}, {"messages": "hello"}, {"messages": [{"role": "user", "content": "no fences"}]}]
)
async def test_a_request_without_conversations_is_refused(simulator: Running, changes: dict[str, Any]) -> None:
    assert (await call(simulator, **changes)).status_code == 400


async def test_its_conduct_is_changed_and_its_counts_are_read_while_it_runs(simulator: Running) -> None:
    async with http_client(base_url=simulator.address) as client:
        changed = await client.patch("/conduct", json={"faults": [{"kind": "server_error", "times": 1}]})
        assert changed.json()["latency_seconds"] == 0
        assert (await call(simulator)).status_code == 503
        assert (await call(simulator)).status_code == 200

        stats = (await client.get("/stats")).json()
        assert stats["calls"]["by_outcome"] == {"server_error": 1, "answered": 1}
        assert stats["faults"] == [{"kind": "server_error", "when": None, "used": 1}]
        assert (await client.get("/stats/contents")).json() == {content_digest("customer: My parcel is late."): 1}
        assert (await client.delete("/stats")).json()["calls"]["total"] == 0


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"calls_per_second": -1}', "calls_per_second"),
        (b'{"speed": 1}', "speed"),
        (b"[]", "not a JSON object"),
        (b"\xff", "not a JSON object"),
    ],
)
async def test_a_wrong_conduct_is_refused_and_the_old_one_stays(simulator: Running, body: bytes, problem: str) -> None:
    before = simulator.simulator.conduct
    async with http_client(base_url=simulator.address) as client:
        answer = await client.put("/conduct", content=body)

    assert answer.status_code == 400
    assert problem in answer.json()["error"]
    assert simulator.simulator.conduct == before


async def test_an_unknown_path_is_404(simulator: Running) -> None:
    async with http_client(base_url=simulator.address) as client:
        assert (await client.get("/nowhere")).status_code == 404


async def test_it_ends_at_once_although_calls_hang() -> None:
    conduct = Conduct.model_validate({"faults": [{"kind": "hang"}]})
    loop = asyncio.get_running_loop()
    async with running_simulator(conduct) as simulator:
        hanging = asyncio.create_task(call(simulator))
        await eventually(lambda: simulator.simulator.statistics.calls == 1, within_seconds=10)
        began = loop.time()

    assert loop.time() - began < 5
    with pytest.raises(httpx.HTTPError):
        (await hanging).raise_for_status()


async def simulate(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "undertone", "simulate-llm", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_says_where_it_listens_and_ends_when_told(stop: signal.Signals) -> None:
    process = await simulate("--port", "0", "--latency-seconds", "0", "--seconds-per-output-token", "0")
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    base_url = line.split()[2]

    async with http_client() as client:
        answer = await client.post(f"{base_url}/chat/completions", json=QUESTION)
    process.send_signal(stop)

    assert answer.status_code == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_taken_port_a_wrong_script_and_a_wrong_number_end_the_command_with_one_line(
    tmp_path: Path, simulator: Running
) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"seed": "seven"}')
    taken = simulator.address.rpartition(":")[2]

    for arguments, words in (
        (("--port", taken), "set --port to another port"),
        (("--port", str(free_port()), "--script", str(script)), "seed"),
        (
            ("--port", str(free_port()), "--calls-per-second", "inf"),
            "--calls-per-second: Input should be a finite number",
        ),
    ):
        process = await simulate(*arguments)
        _, said = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 2
        assert words in said.decode()
        assert said.decode().count("\n") == 1
