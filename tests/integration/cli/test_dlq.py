"""`undertone dlq` against a read API of its own process, as a person runs it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from schemas.dead_letter import DeadLetterReason
from services.runtime.api_keys import new_key
from services.sink.database import open_write_pool
from tests.end_to_end.deployment import Deployment, deployed
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal
from tests.integration.sink.letters import a_letter, keep, states

POISON = a_letter(
    7,
    value=b"\xff\x1b[31m poison",
    reason=DeadLetterReason.UNDECODABLE,
    detail="turns.0.text: is missing",
)
TIMEOUTS = [a_letter(number) for number in range(3)]


@pytest.fixture
async def api(
    infrastructure: Infrastructure, kafka_topics: str, database_url: str, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A read API with four dead letters, which asks for keys."""
    _, entry = new_key("nobody", ["read"])
    reader, reader_entry = new_key("reader", ["read"])
    operator, operator_entry = new_key("ops", ["read", "operate"])
    async with open_write_pool(database_url) as pool:
        await keep(pool, [POISON, *TIMEOUTS])
    keys = {"API_KEYS": f"{entry} {reader_entry} {operator_entry}"}
    deployment = Deployment(
        infrastructure.bootstrap_servers, database_url, tmp_path, topic_prefix=kafka_topics, environment=keys
    )
    async with deployed(deployment) as services:
        services.add("sink", role="api")
        await services.start()
        (tmp_path / "reader").write_text(reader)
        (tmp_path / "ops").write_text(operator)
        yield services


def terminal_of(api: Deployment, name: str) -> Terminal:
    key = (api.folder / name).read_text()
    return Terminal(api.folder, {"UNDERTONE_READ_API_URL": api.the("sink").url, "UNDERTONE_API_KEY": key})


async def state_counts(api: Deployment) -> dict[str, int]:
    async with open_write_pool(api.database_url) as pool:
        return await states(pool)


async def test_letters_are_seen_understood_sent_dropped_and_remembered(api: Deployment) -> None:
    ops = terminal_of(api, "ops")
    listed = json.loads((await ops.run("dlq", "list", "--json")).out)["groups"]
    counts = {group["reason"]: (group["count"], group["fingerprint"]) for group in listed}
    assert {reason: count for reason, (count, _) in counts.items()} == {"llm_error": 3, "undecodable": 1}
    shown = await ops.run("dlq", "list")
    assert counts["llm_error"][1] in shown.out
    each = await ops.run("dlq", "list", counts["undecodable"][1])
    assert str(POISON.letter.id) in each.out

    one = await ops.run("dlq", "show", str(POISON.letter.id))
    assert "turns.0.text: is missing" in one.out
    assert "ff 1b 5b 33 31 6d" in one.out
    assert "\x1b" not in one.out

    dry = await ops.run("dlq", "redrive", "--all", "--dry-run")
    assert (dry.code, await state_counts(api)) == (0, {"waiting": 4})
    unasked = await ops.run("dlq", "redrive", "--all")
    assert (unasked.code, "add --yes" in unasked.err) == (2, True)
    assert await state_counts(api) == {"waiting": 4}

    sent = await ops.run("dlq", "redrive", counts["llm_error"][1], "--yes", "--note", "it answers again", "--json")
    assert (sent.code, json.loads(sent.out)["redriven"]) == (0, 3), sent.err
    dropped = await ops.run("dlq", "drop", str(POISON.letter.id), "--yes")
    assert (dropped.code, "1 dropped" in dropped.out) == (0, True), dropped.err
    assert await state_counts(api) == {"redriven": 3, "dropped": 1}

    gone = counts["llm_error"][1]
    assert f"No dead letters of {gone} wait." in (await ops.run("dlq", "list", gone)).out

    history = json.loads((await ops.run("dlq", "history", "--json")).out)["actions"]
    assert [(action["kind"], action["done_by"]) for action in history] == [("drop", "ops"), ("redrive", "ops")]
    assert "it answers again" in (await ops.run("dlq", "history")).out
    again = await ops.run("dlq", "redrive", "--all", "--yes")
    assert (again.code, "nothing of it waits" in again.out) == (0, True)


async def test_the_bytes_come_out_as_they_went_in(api: Deployment) -> None:
    process = await terminal_of(api, "ops")._start(("dlq", "show", str(POISON.letter.id), "--raw"))
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert out == b"\xff\x1b[31m poison"


async def test_a_key_that_only_reads_sees_causes_and_neither_bytes_nor_buttons(api: Deployment) -> None:
    reader = terminal_of(api, "reader")
    assert (await reader.run("dlq", "list")).code == 0
    for arguments in (("show", str(POISON.letter.id)), ("redrive", "--all", "--yes"), ("drop", "--all", "--yes")):
        ended = await reader.run("dlq", *arguments)
        assert (ended.code, "operate" in ended.err) == (2, True), ended.err
    assert await state_counts(api) == {"waiting": 4}


MISTAKES = (
    (("redrive", "--yes"), "Which dead letters?"),
    (("redrive", "abc", "--yes"), "neither the id of a dead letter nor a fingerprint"),
    (("show", "abc"), "neither the id of a dead letter nor a fingerprint"),
    (("list", "--since", "soon"), "--since is 'soon'"),
    (("list", "--reason", "no such reason"), "reason"),
    (("show", "00000000-0000-0000-0000-000000000000"), "no dead letter under this id"),
    (("show", "abcdefabcdef"), "abcdefabcdef is the fingerprint of a group: `undertone dlq list abcdefabcdef`"),
    (("list", "abcdefabcdef"), "No dead letter has the fingerprint 'abcdefabcdef'"),
    (("redrive", "abcdefabcdef", "--yes"), "No dead letter has the fingerprint 'abcdefabcdef'"),
    (("redrive", "abcdefabcdef", "--dry-run", "--json"), "No dead letter has the fingerprint 'abcdefabcdef'"),
    (("drop", "--reason", "llm_eror", "--yes"), "No dead letter has the reason 'llm_eror'; there are "),
    (("drop", "--topic", "received", "--yes"), "No dead letter has the topic 'received'; there are "),
    (("drop", "--conversation", "nobody", "--yes"), "No dead letter has the conversation 'nobody'"),
    (("drop", str(POISON.letter.id), str(UUID(int=7)), "--yes"), f"There is no dead letter {UUID(int=7)}; nothing"),
)


async def test_what_cannot_be_meant_is_one_sentence(api: Deployment) -> None:
    ops = terminal_of(api, "ops")
    for arguments, problem in MISTAKES:
        ended = await ops.run("dlq", *arguments)
        assert ended.code in {1, 2}
        assert problem in ended.err
        assert len(ended.err.splitlines()) == 1
    assert await state_counts(api) == {"waiting": 4}
    for known in ("--reason", "unstorable"), ("--service", "ingress"), ("--topic", "conversations.analyzed.v1"):
        assert (await ops.run("dlq", "redrive", *known, "--yes")).code == 0
