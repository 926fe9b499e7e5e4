"""The state file: what `down` and `status` know of an `up`."""

import os
from pathlib import Path

import pytest

from undertone.embedded.errors import AlreadyRunningError, WrongSettingError
from undertone.embedded.identity import is_same_process, process_start_time
from undertone.embedded.state import (
    STATE_FILE,
    ProcessState,
    StackState,
    hold_home,
    make_home,
    own_identity,
    read_state,
    write_state,
)


def state_of_this_process() -> StackState:
    pid, started_at = own_identity()
    process = ProcessState(pid, started_at, restarts=1, log="x.log")
    return StackState("running", pid, started_at, {"ingress": "http://127.0.0.1:1"}, {"ingress": process})


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_state(tmp_path, state_of_this_process())
    assert read_state(tmp_path) == state_of_this_process()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"phase": "running"}', '{"processes": {"x": 1}}'])
def test_a_state_file_that_nobody_understands_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    assert read_state(tmp_path) is None


def test_a_pid_that_was_given_to_another_process_is_not_ours() -> None:
    pid, started_at = own_identity()
    assert started_at is not None
    assert is_same_process(pid, started_at)
    assert not is_same_process(pid, started_at - 100)
    assert not is_same_process(pid, None)
    assert process_start_time(os.getpid()) == started_at


def test_a_folder_is_held_by_one_at_a_time_and_free_afterwards(tmp_path: Path) -> None:
    with hold_home(tmp_path / "home"):
        write_state(tmp_path / "home", state_of_this_process())
        with pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}.*undertone down"):
            hold_home(tmp_path / "home").__enter__()
    with hold_home(tmp_path / "home"):
        pass


def test_a_state_folder_whose_name_is_not_utf8_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(WrongSettingError, match=r"caf.* has a name that is not UTF-8"):
        make_home(tmp_path / "caf\udce9")
    assert list(tmp_path.iterdir()) == []
