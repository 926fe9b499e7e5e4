"""What every command says, alike, when something is not there."""

import os
from pathlib import Path

import pytest

from schemas.topics import RECEIVED
from services.runtime.kafka import KafkaConnection
from undertone import cli
from undertone.absent import no_answer, no_kafka, no_topic
from undertone.embedded.identity import process_start_time
from undertone.embedded.state import StackState, write_state

KAFKA = KafkaConnection("127.0.0.1:9", topic_prefix="mine.")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    return tmp_path


def test_where_no_stack_runs_the_folder_is_named(home: Path) -> None:
    said = str(no_answer("http://127.0.0.1:9", "connection refused", "read API", "--read-api-url"))
    assert said == (
        f"Nothing answers at http://127.0.0.1:9 (connection refused); no stack runs in {home}: start one with "
        f"`undertone up`, or name the read API with --read-api-url."
    )


def test_where_a_stack_runs_its_status_is_the_advice(home: Path) -> None:
    write_state(home, StackState("running", os.getpid(), process_start_time(os.getpid()), {}))
    assert f"`undertone status` says how the stack in {home} is" in str(no_kafka(KAFKA, TimeoutError()))


def test_a_topic_that_is_not_there_is_named_with_its_prefix() -> None:
    assert str(no_topic(KAFKA, RECEIVED)) == (
        "Kafka has no topic mine.conversations.received.v1: create it with `undertone topics apply`."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["insights", "--read-api-url", "http://127.0.0.1:9"],
        ["dlq", "list", "--read-api-url", "http://127.0.0.1:9"],
        ["ingest", "a.jsonl", "--api-url", "http://127.0.0.1:9"],
    ],
)
def test_whatever_does_not_answer_is_exit_code_1(
    home: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "a.jsonl").write_text('{"text": "It broke."}\n', encoding="utf-8")
    monkeypatch.chdir(home)
    assert cli.main(arguments) == 1
    assert "Nothing answers at http://127.0.0.1:9" in capsys.readouterr().err


def test_status_says_where_it_looked_and_ends_with_3(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().out.startswith(f"No stack runs in {home}: start one with `undertone up`")


@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_down_where_nothing_runs_says_where_it_looked(
    home: Path, yes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["down", *yes]) == 0
    assert f"No stack runs in {home}" in capsys.readouterr().out


def test_data_is_not_removed_where_nobody_can_be_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("kafka", "replays", "ingest"):
        (home / folder).mkdir()
        (home / folder / "kept.json").touch()
    assert cli.main(["down", "--purge"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert (home / "kafka").exists()
    assert cli.main(["down", "--purge", "--yes"]) == 0
    assert not home.exists()
