"""Files through the command line, the ingress and a real Kafka: nothing lost, nothing twice, all reported."""

import asyncio
import gzip
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import RECEIVED
from tests.end_to_end.deployment import Deployment, deployed
from tests.end_to_end.kafka_clients import read_all
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal
from tests.integration.cli.files import conversations, write_lines
from tests.waiting import eventually
from undertone.demo import SAMPLE
from undertone.ingest.checkpoint import Checkpoint, fingerprint
from undertone.ingest.job import Job


def _reports(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in (folder / ".undertone" / "ingest").glob("*.rejected.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


async def _ids(deployment: Deployment) -> list[str]:
    return [record.key.decode() for record in await read_all(deployment, RECEIVED)]


@pytest.mark.parametrize("destination", ["http", "kafka"])
async def test_the_sample_arrives_whole_and_both_ways_write_the_same_events(
    terminal: Terminal, deployment: Deployment, destination: str
) -> None:
    ended = await terminal.run("ingest", str(SAMPLE), "--to", destination)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("272 accepted, 0 rejected")
    records = await read_all(deployment, RECEIVED)
    assert len({record.key for record in records}) == len(records) == 272
    given = {one["conversation_id"]: one for one in map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines())}
    for record in records:
        event = json.loads(record.value)
        expected = given[record.key.decode()]
        assert [(turn["role"], turn["text"]) for turn in event["turns"]] == [
            (turn["role"], turn["text"]) for turn in expected["turns"]
        ]
        assert dict(record.headers)["ce_type"] == b"undertone.conversation.received.v1"


@pytest.mark.parametrize("destination", ["http", "kafka"])
async def test_what_is_rejected_is_reported_with_its_line_and_hurts_no_neighbour(
    terminal: Terminal, deployment: Deployment, destination: str, tmp_path: Path
) -> None:
    lines = [
        json.dumps(conversations(1)[0]),
        "not json",
        '{"conversation_id": "has spaces", "turns": [{"text": "x"}]}',
        '{"conversation_id": "a", "turns": [{"txt": "x"}]}',
        '{"conversation_id": "late", "turns": [{"text": "x", "at": "2099-01-01T00:00:00Z"}]}',
        '{"conversation_id": "nozone", "turns": [{"text": "x", "at": "2026-01-01T00:00:00"}]}',
        '{"conversation_id": "nul", "turns": [{"text": "a\\u0000b"}]}',
        '{"conversation_id": "surrogate", "turns": [{"text": "a\\ud800b"}]}',
        '{"text": "Without an id."}',
    ]
    (tmp_path / "mixed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ended = await terminal.run("ingest", "mixed.jsonl", "--to", destination)
    assert ended.code == 1
    assert ended.out.startswith("2 accepted, 7 rejected")
    reported = _reports(tmp_path)
    assert [one["line"] for one in reported] == [2, 3, 4, 4, 5, 6, 7, 8]
    fields = {(one["line"], one.get("field")) for one in reported}
    assert {
        (3, "conversation_id"),
        (4, "turns.0.text"),
        (4, "turns.0.txt"),
        (5, "turns.0.at"),
        (6, "turns.0.at"),
    } <= fields
    assert "First problem: mixed.jsonl, line 2: is not JSON: expecting value at column 1\n" in ended.out
    assert ".undertone/ingest/mixed-" in ended.out
    assert len(await _ids(deployment)) == 2


async def test_a_dry_run_says_the_same_as_the_service_and_sends_nothing(
    terminal: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    lines = [*map(json.dumps, conversations(20)), '{"conversation_id": "a b", "turns": []}', "[]"]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    dry = await terminal.run("ingest", "a.jsonl", "--dry-run")
    told = _reports(tmp_path)
    assert (dry.code, dry.out.split(" · ")[0]) == (1, "20 would be accepted, 2 rejected")
    assert await _ids(deployment) == []
    await terminal.run("ingest", "a.jsonl")
    without_names = [{name: value for name, value in one.items() if name != "file"} for one in _reports(tmp_path)]
    assert len(told) == 3
    assert all({name: value for name, value in one.items() if name != "file"} in without_names for one in told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_an_interrupted_ingest_goes_on_where_it_stopped(
    terminal: Terminal, deployment: Deployment, tmp_path: Path, number: signal.Signals
) -> None:
    name = write_lines(tmp_path / "many.jsonl", [*conversations(20_000, "It broke. " * 40), "no conversation"])
    arguments = ("ingest", name, "--batch-size", "50", "--in-flight", "2")

    async def has_a_checkpoint() -> bool:
        saved = list((tmp_path / ".undertone" / "ingest").glob("*.json"))
        return bool(saved) and json.loads(saved[0].read_text(encoding="utf-8"))["entries"] > 200

    stopped = await terminal.run_until(has_a_checkpoint, number, *arguments)
    assert stopped.code == (130 if number is signal.SIGINT else -signal.SIGKILL)
    before = len(await _ids(deployment))
    assert 200 < before < 20_000
    ended = await terminal.run(*arguments)
    assert "going on after" in ended.err
    assert ended.out.startswith("20,000 accepted, 1 rejected")
    ids = await _ids(deployment)
    assert len(set(ids)) == 20_000
    assert len(ids) < 20_000 + before  # it did not begin anew
    assert list((tmp_path / ".undertone" / "ingest").glob("*.json")) == []


async def test_a_file_that_changed_since_the_interruption_starts_from_the_beginning(
    terminal: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    name = write_lines(tmp_path / "a.jsonl", conversations(30))
    await deployment.the("ingress").kill()
    port = deployment.the("ingress").port
    assert (await terminal.run("ingest", name)).code == 1
    checkpoints = tmp_path / ".undertone" / "ingest"
    assert list(checkpoints.glob("*.json")) == []
    await deployment.the("ingress").start()
    assert deployment.the("ingress").port == port

    resume_file = _resume_file(terminal, tmp_path / name)
    members = {"source": "another content", "anchor": "2026-11-21T09:00:00+00:00", "entries": 10}
    resume_file.write_text(json.dumps(members), encoding="utf-8")
    write_lines(tmp_path / "a.jsonl", conversations(31))
    ended = await terminal.run("ingest", name)
    assert "has changed since its ingest was interrupted" in ended.err
    assert ended.out.startswith("31 accepted")


def _resume_file(terminal: Terminal, path: Path) -> Path:
    """Where an ingest of this file, without options, remembers how far it is."""
    job = Job([path], terminal.environment["UNDERTONE_API_URL"], terminal.folder / ".undertone" / "ingest")
    mark = fingerprint(path, destination=job.destination, options=job.describe_options())
    job.state_folder.mkdir(parents=True, exist_ok=True)
    return job.state_folder / f"{mark}.json"


async def test_an_ingress_that_goes_away_and_comes_back_costs_nothing(
    terminal: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    name = write_lines(tmp_path / "many.jsonl", conversations(3_000, "It broke. " * 40))
    ingress = deployment.the("ingress")

    async def some_arrived() -> bool:
        return await ingress.metric("undertone_conversations_accepted_total") > 200

    running = asyncio.create_task(terminal.run("ingest", name, "--batch-size", "20", "--in-flight", "2"))
    await eventually(some_arrived, every_seconds=0.01)
    await ingress.kill()
    await ingress.restart()
    ended = await running
    assert ended.code == 0, ended.err
    assert ended.out.startswith("3,000 accepted, 0 rejected")
    assert len(set(await _ids(deployment))) == 3_000


async def test_an_ingest_at_the_instances_limit_slows_down_and_loses_nothing(
    infrastructure: Infrastructure, kafka_topics: str, tmp_path: Path
) -> None:
    alone = Deployment(infrastructure.bootstrap_servers, "", tmp_path, kafka_topics)
    ingress = alone.add("ingress", INGRESS_REQUESTS_PER_SECOND="20", INGRESS_BURST="10")
    name = write_lines(tmp_path / "a.jsonl", conversations(200))
    async with deployed(alone):
        await alone.start()
        ended = await Terminal(tmp_path, {"UNDERTONE_API_URL": ingress.url}).run("ingest", name, "--batch-size", "5")
        assert ended.out.startswith("200 accepted, 0 rejected")
        assert sorted(await _ids(alone)) == [f"c{number:05d}" for number in range(200)]


async def test_two_ingests_of_one_file_at_once_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    name = write_lines(tmp_path / "a.jsonl", conversations(3))
    with Checkpoint(_resume_file(terminal, tmp_path / name)).locked():
        ended = await terminal.run("ingest", name)
    assert ended.code == 1
    assert "Another process is ingesting this file" in ended.err
    assert (await terminal.run("ingest", name)).code == 0
    assert list((tmp_path / ".undertone" / "ingest").iterdir()) == []  # nothing is left of locks and resume files


@pytest.mark.parametrize("content", ["", "\n \n"])
async def test_an_empty_file_is_said_to_be_empty(terminal: Terminal, tmp_path: Path, content: str) -> None:
    (tmp_path / "empty.jsonl").write_text(content, encoding="utf-8")
    ended = await terminal.run("ingest", "empty.jsonl")
    assert ended.code == 0
    assert "empty.jsonl holds no conversations." in ended.out


async def test_a_second_ingest_of_the_twitter_csv_sends_the_sameconversations(
    terminal: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    rows = [
        "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id",
        "2,shop,False,Tue Oct 31 22:11:00 +0000 2017,We are sorry.,,1",
        "1,kim,True,Tue Oct 31 22:10:47 +0000 2017,It broke.,2,",
        "3,lee,True,Tue Oct 31 22:12:47 +0000 2017,Mine too &amp; badly.,,77",
    ]
    (tmp_path / "tweets.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    for _ in range(2):
        ended = await terminal.run("ingest", "tweets.csv.gz", "--shift-to-now")
        assert ended.out.startswith("2 accepted, 0 rejected"), ended.err
    records = [json.loads(record.value) for record in await read_all(deployment, RECEIVED)]
    assert sorted(one["conversation_id"] for one in records) == ["twitter-1", "twitter-1", "twitter-3", "twitter-3"]
    assert len({one["content_hash"] for one in records}) == 2
    newest = next(one for one in records if one["conversation_id"] == "twitter-3")
    assert newest["occurred_at"][:10] == newest["received_at"][:10]
    assert newest["turns"][0]["text"] == "Mine too & badly."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl"], "missing.jsonl does not exist"),
        (["columns.csv"], "lacks the columns"),
        ([".", "a.jsonl"], "is a folder"),
        (["a.jsonl", "--spread", "week"], "--spread is 'week'"),
        (["a.jsonl", "--bulk", "--to", "http"], "--bulk writes to Kafka itself"),
        (["a.jsonl", "--bulk", "--api-url", "http://127.0.0.1:9"], "--api-url and --api-key are for posting"),
        (["a.jsonl", "--to", "kafka", "--api-key", "k"], "--api-url and --api-key are for posting"),
        (["a.jsonl", "--api-key", "k\tx"], "holds characters that no key has"),
    ],
)
async def test_what_cannot_begin_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    write_lines(tmp_path / "a.jsonl", conversations(1))
    (tmp_path / "columns.csv").write_text("id,text\n1,x\n", encoding="utf-8")
    ended = await Terminal(tmp_path).run("ingest", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
