"""The lock of an ingest: one process at a time, and nothing left behind."""

import fcntl
from pathlib import Path

import pytest

from undertone.errors import CommandError
from undertone.ingest.checkpoint import Checkpoint, fingerprint


def test_a_second_ingest_is_refused_while_the_first_runs_and_let_in_after_it(tmp_path: Path) -> None:
    first, second = (Checkpoint(tmp_path / "ingest" / "mark.json") for _ in range(2))
    with first.locked():
        with pytest.raises(CommandError, match="Another process is ingesting this file"), second.locked():
            pass
        with pytest.raises(CommandError, match="Another process"), second.locked():  # the refusal took nothing away
            pass
    with second.locked():
        pass


def test_no_lock_is_left_behind_however_the_ingest_ends(tmp_path: Path) -> None:
    locked = Checkpoint(tmp_path / "mark.json").locked()
    locked.__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["mark.lock"]
    error = CommandError("it broke")
    assert not locked.__exit__(CommandError, error, None)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_its_holder_removed_meanwhile_locks_nobody_out_and_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking the file, the ingest before removes it: its inode is nobody's lock any more."""
    lock = fcntl.flock
    removals = [tmp_path / "mark.lock"]

    def removed_just_before(descriptor: int, operation: int) -> None:
        if removals:
            removals.pop().unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_just_before)
    checkpoint, other = (Checkpoint(tmp_path / "mark.json") for _ in range(2))
    with checkpoint.locked():
        assert (tmp_path / "mark.lock").exists()
        with pytest.raises(CommandError, match="Another process"), other.locked():
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_name_is_not_utf8_has_a_place_of_its_own(tmp_path: Path) -> None:
    names = ("caf\udce9.jsonl", "caf\udcea.jsonl", "café.jsonl")
    marks = {fingerprint(tmp_path / name, destination="there", options="") for name in names}
    assert len(marks) == len(names)
