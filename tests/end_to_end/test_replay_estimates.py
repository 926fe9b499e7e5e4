"""A dry run against what a replay really takes, as the simulator counts it."""

import json
from pathlib import Path

from tests.builders import a_conversation
from tests.end_to_end.deployment import Deployment
from tests.http_client import http_client
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import accept, stored
from tests.waiting import eventually
from undertone.simulator.conduct import Conduct
from undertone.simulator.server import running_simulator

COUNT = 300
VERSION = "simulated-p1"
LEAST, MOST = 1 / 3, 1.5
"""Of the calls that a dry run states: answers that come fast make larger batches, hesitant arrivals smaller ones."""


async def test_a_dry_run_states_calls_and_tokens_that_the_replay_then_takes_and_all_its_cost_is_counted(
    deployment: Deployment, tmp_path: Path
) -> None:
    async with running_simulator(Conduct(latency_seconds=0.5, seconds_per_output_token=0)) as simulator:
        engines = {
            "ANALYZER_ENGINE": "offline",
            "ANALYZER_FURTHER_ENGINES": "simulated",
            "ANALYZER_LLM_BASE_URL": simulator.base_url,
            "ANALYZER_DAILY_BUDGET_USD": "unlimited",
            "XAI_API_KEY": "not-a-key",
        }
        deployment.add("sink")
        await deployment.start()
        terminal = Terminal(
            tmp_path,
            {
                **engines,
                "KAFKA_BOOTSTRAP_SERVERS": deployment.bootstrap_servers,
                "KAFKA_TOPIC_PREFIX": deployment.topic_prefix,
                "KAFKA_GROUP_PREFIX": deployment.topic_prefix,
                "UNDERTONE_READ_API_URL": deployment.the("sink").url,
            },
        )
        words = "My parcel {n} was due on Monday, it is still not here, and nobody answers order {n}."
        await accept(deployment, [a_conversation(f"c{n}", words.format(n=10_000 + n)) for n in range(COUNT)])
        await stored(deployment, COUNT)
        ask = ("replay", "--since", "1h", "--analysis-version", VERSION, "--new-version")
        dry = await terminal.run(*ask, "--dry-run", "--json")
        assert dry.code == 0, dry.err
        stated = json.loads(dry.out)
        assert (stated["to_analyse"], stated["cost_usd"]) == (COUNT, None)
        assert simulator.simulator.summary()["calls"]["total"] == 0

        assert (await terminal.run(*ask, "--yes")).code == 0
        deployment.add("analyzer", **engines)
        await deployment.the("analyzer").start()
        await eventually(lambda: _is_covered(deployment), within_seconds=180, what="all copies are analysed")
        counted = simulator.simulator.summary()
        assert LEAST * stated["calls"] <= counted["calls"]["total"] <= MOST * stated["calls"], counted["calls"]
        tokens = counted["tokens"]["prompt"] + counted["tokens"]["completion"]
        assert tokens <= stated["tokens"] <= 3 * tokens
        spent = (await deployment.status())["today"]["cost_usd"]
        assert abs(spent - counted["cost_usd"]) < 1e-6, "to the last answer"


async def _is_covered(deployment: Deployment) -> bool:
    async with http_client(timeout=10) as client:
        answer = await client.get(f"{deployment.the('sink').url}/api/v1/versions")
    found = {one["analysis_version"]: one["counts"]["completed"] for one in answer.json()["versions"]}
    assert found.get(VERSION) == COUNT, found
    return True
