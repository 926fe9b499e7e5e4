"""The files of a run in memory: only where nobody chose otherwise and there is room; nothing stays."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.infrastructure import in_memory
from tests.infrastructure.in_memory import use_memory_for_temporary_files


@pytest.fixture(autouse=True)
def _nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(in_memory, "LEAST_FREE_BYTES", 0)


def test_temporary_files_are_made_there_until_it_is_removed(tmp_path: Path) -> None:
    remove = use_memory_for_temporary_files(tmp_path)
    assert remove is not None

    with tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).is_relative_to(tmp_path)
        assert os.environ["TMPDIR"] == str(Path(file.name).parent)
    remove()

    assert list(tmp_path.iterdir()) == []
    assert "TMPDIR" not in os.environ
    assert not Path(tempfile.gettempdir()).is_relative_to(tmp_path)


def test_a_folder_that_somebody_chose_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert use_memory_for_temporary_files(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_without_room_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "LEAST_FREE_BYTES", 2**63)

    assert use_memory_for_temporary_files(tmp_path) is None
    assert use_memory_for_temporary_files(tmp_path / "missing") is None


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_has_is_not(tmp_path: Path) -> None:
    left, in_use = tmp_path / f"undertone-tests-{2**22 + 1}", tmp_path / "undertone-tests-1"
    left.mkdir()
    in_use.mkdir()

    remove = use_memory_for_temporary_files(tmp_path)

    assert remove is not None
    assert not left.exists()
    assert in_use.exists()
    remove()
