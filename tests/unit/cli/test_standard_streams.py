"""However the shell has left its streams, a command does its work, or says in one sentence why not."""

import os
import subprocess
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path

import pytest

from undertone.replay.plans import Plans, Replay

UNDERTONE = f"{sys.executable} -m undertone"
REPOSITORY = Path(__file__).parents[3]


def in_shell(line: str, folder: Path, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DATABASE_URL": "", **(variables or {})}
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def with_a_replay(folder: Path, asked: str = "--since 7d") -> None:
    replay = Replay("angry", "angry-1", "2026-03-02T09:17:13+00:00", "k:9092/", asked, "v2", {"4": 1}, {})
    Plans(folder / ".undertone" / "replays").create(replay, {4: array("q", [1])})


@pytest.mark.parametrize("closed", [">&-", ">&- <&-", ">&- <&- 2>&-"])
@pytest.mark.parametrize("command", ["replays", "subjects list", "--help", "--version"])
def test_output_that_was_closed_from_the_start_is_no_error(command: str, closed: str, tmp_path: Path) -> None:
    with_a_replay(tmp_path)
    ended = in_shell(f"{UNDERTONE} {command} {closed}", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_command_whose_output_is_closed_still_says_what_went_wrong(tmp_path: Path) -> None:
    ended = in_shell(f"{UNDERTONE} trends --read-api-url http://127.0.0.1:1 >&-", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("undertone: Nothing answers at http://127.0.0.1:1")


def test_a_module_of_the_sink_has_somewhere_to_write_to_when_its_output_is_closed(tmp_path: Path) -> None:
    module = f"{sys.executable} -m undertone.sink_module services.sink.audit"
    ended = in_shell(f"{module} --help >&-", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["undertone subjects list", "undertone.sink_module this"])
def test_output_onto_a_full_device_is_one_sentence(command: str, unbuffered: str, tmp_path: Path) -> None:
    ended = in_shell(f"{sys.executable} -m {command} >/dev/full", tmp_path, {"PYTHONUNBUFFERED": unbuffered})
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "the system refused to read or write: No space left on device" in ended.stderr


def test_no_file_becomes_the_output_that_was_closed(tmp_path: Path) -> None:
    program = (
        "from undertone import standard_streams as s; s.prepare(); f = open('kept', 'w'); print('lost', flush=True)"
    )
    assert in_shell(f'{sys.executable} -c "{program}" >&-', tmp_path).returncode == 0
    assert (tmp_path / "kept").read_text(encoding="utf-8") == ""


def test_a_question_has_no_answer_where_the_input_is_closed(tmp_path: Path) -> None:
    program = "from undertone import console, standard_streams; standard_streams.prepare(); console.confirm('Go?')"
    ended = in_shell(f'{sys.executable} -c "{program}" <&-', tmp_path)
    assert "Go? Nobody can be asked here: add --yes." in ended.stderr


def test_what_the_encoding_cannot_hold_is_replaced(tmp_path: Path) -> None:
    with_a_replay(tmp_path, "--channel Gepäck…")
    ended = in_shell(f"{UNDERTONE} replays", tmp_path, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Gep?ck?" in ended.stdout


def test_json_loses_nothing_whatever_the_encoding_holds(tmp_path: Path) -> None:
    with_a_replay(tmp_path, "--channel Gepäck…")
    ended = in_shell(f"{UNDERTONE} replays --json", tmp_path, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert r"Gep\u00e4ck\u2026" in ended.stdout
