"""`undertone tail` and `produce` on a real Kafka, as people run them."""

import asyncio
import json
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import REPLAY
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal

WRITTEN = [
    {"conversation_id": f"c{number}", "turns": [{"text": f"grüße \x1b[31m{number}"}], "channel": channel}
    for number, channel in enumerate(["chat", "mail", "chat"])
]


@pytest.fixture
def terminal(infrastructure: Infrastructure, kafka_topics: str, tmp_path: Path) -> Terminal:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": kafka_topics}
    return Terminal(tmp_path, environment)


def write_lines(terminal: Terminal, *lines: Any) -> str:
    path = terminal.folder / f"{uuid.uuid4().hex}.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return str(path)


async def tailed(terminal: Terminal, *options: str) -> list[Any]:
    ended = await terminal.run("tail", *options, "--no-follow", "--json")
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


async def test_what_produce_writes_tail_shows_and_its_lines_can_be_produced_again(terminal: Terminal) -> None:
    ended = await terminal.run("produce", "received", write_lines(terminal, *WRITTEN))
    assert (ended.code, ended.out) == (0, "3 written to conversations.received.v1, 0 refused\n")
    shown = await tailed(terminal, "received", "--from", "beginning")
    assert {line["key"] for line in shown} == {"c0", "c1", "c2"}
    assert {line["event"]["turns"][0]["text"] for line in shown} == {one["turns"][0]["text"] for one in WRITTEN}  # type: ignore[index]  # a list of turns
    (mail,) = await tailed(terminal, "received", "--from", "beginning", "--channel", "mail")
    assert mail["event"]["conversation_id"] == "c1"

    ended = await terminal.run("produce", "received", write_lines(terminal, mail))
    assert ended.code == 0, ended.err
    assert len(await tailed(terminal, "received", "--from", "24h", "--conversation", "c1")) == 2
    assert len(await tailed(terminal, "received", "--from", "-1")) <= 3
    assert await tailed(terminal, "received") == [], "the default is what comes next"


async def test_lines_for_people_hold_no_orders_to_a_terminal(terminal: Terminal) -> None:
    await terminal.run("produce", "received", write_lines(terminal, *WRITTEN))
    ended = await terminal.run("tail", "received", "--from", "beginning", "--no-follow")
    assert "grüße" in ended.out
    assert "\x1b" not in ended.out
    assert len(ended.out.splitlines()) == 3
    ended = await terminal.run("tail", "received", "--from", "beginning", "--no-follow", "--no-words")
    assert "grüße" not in ended.out


async def test_what_the_contract_refuses_is_told_with_line_and_field_and_its_neighbours_are_written(
    terminal: Terminal,
) -> None:
    path = write_lines(terminal, WRITTEN[0], "nonsense", {"conversation_id": "x", "turns": []}, WRITTEN[1])
    ended = await terminal.run("produce", "received", path, "--dry-run")
    assert (ended.code, await tailed(terminal, "received", "--from", "beginning")) == (1, [])
    ended = await terminal.run("produce", "received", path, "--json")
    assert ended.code == 1
    assert json.loads(ended.out) == {
        "topic": "conversations.received.v1",
        "dry_run": False,
        "written": 2,
        "refused": 2,
    }
    assert "line 2: it is not JSON" in ended.err
    assert "line 3: turns: " in ended.err
    assert len(await tailed(terminal, "received", "--from", "beginning")) == 2


async def test_following_goes_on_until_it_is_interrupted_and_ends_well(terminal: Terminal) -> None:
    await terminal.run("produce", "received", write_lines(terminal, WRITTEN[0]))
    process = await terminal._start(("tail", "received", "--from", "beginning", "--json"))
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert json.loads(await process.stdout.readline())["key"] == "c0"
        await terminal.run("produce", "received", write_lines(terminal, WRITTEN[1]))
        assert json.loads(await process.stdout.readline())["key"] == "c1"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_reader_that_has_enough_ends_it_quietly(terminal: Terminal) -> None:
    lines = [{"conversation_id": f"c{number}", "turns": [{"text": "x" * 200}]} for number in range(2_000)]
    ended = await terminal.run("produce", "received", write_lines(terminal, *lines))
    assert ended.code == 0, ended.err
    process = await terminal._start(("tail", "received", "--from", "beginning", "--no-follow", "--json"))
    assert process.stdout is not None
    async with asyncio.timeout(60):
        await process.stdout.readline()
        process.stdout._transport.close()  # type: ignore[attr-defined]  # what `| head -1` does
        assert await process.wait() == 0


async def test_the_end_of_a_log_is_found_behind_the_marks_of_transactions(
    terminal: Terminal, infrastructure: Infrastructure
) -> None:
    name = terminal.environment["KAFKA_TOPIC_PREFIX"] + REPLAY.name
    async with AIOKafkaProducer(
        bootstrap_servers=infrastructure.bootstrap_servers, transactional_id=f"test-{uuid.uuid4()}"
    ) as producer:
        for value in (b"kept", b"taken back"):
            await producer.begin_transaction()
            await producer.send_and_wait(name, value, b"k")
            await (producer.commit_transaction() if value == b"kept" else producer.abort_transaction())
    (only,) = await tailed(terminal, "replay", "--from", "beginning")
    assert only["problem"]["reason"] == "undecodable"
    assert only["value_base64"] == "a2VwdA=="


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("tail", "recieved"), "Did you mean received?"),
        (("tail", "received", "--partition", "99"), "has the partitions 0 to 11"),
        (("tail", "received", "--from", "soon"), "--from is 'soon'"),
        (("tail", "analyzed", "--type", "conv"), "carries insight.produced"),
        (("produce", "analyzed", "x.jsonl"), "people write received, replay, control"),
        (("produce", "received", "x.jsonl"), "x.jsonl does not exist"),
    ],
)
async def test_what_cannot_be_meant_is_one_sentence(
    terminal: Terminal, arguments: tuple[str, ...], problem: str
) -> None:
    ended = await terminal.run(*arguments)
    assert ended.code == 2
    assert problem in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_kafka_away_and_topics_missing_say_what_to_do(terminal: Terminal) -> None:
    elsewhere = Terminal(terminal.folder, {**terminal.environment, "KAFKA_TOPIC_PREFIX": "nowhere."})
    path = write_lines(terminal, WRITTEN[0])
    for arguments in (("tail", "received"), ("produce", "received", path)):
        ended = await elsewhere.run(*arguments)
        assert (ended.code, ended.err.count("undertone topics apply")) == (1, 1), ended.err
        away = Terminal(terminal.folder, {**terminal.environment, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
        ended = await away.run(*arguments)
        assert (ended.code, ended.err.count("KAFKA_BOOTSTRAP_SERVERS")) == (1, 1), ended.err
