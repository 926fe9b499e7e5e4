"""The folder in which workers count: no kill leaves one for ever."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.ingress.metrics_folder import metrics_folder

HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from services.ingress.metrics_folder import metrics_folder
with metrics_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _holder(parent: Path) -> "tuple[subprocess.Popen[str], Path]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_process(parent: Path) -> None:
    with metrics_folder() as folder:
        assert Path(folder).parent == parent
        (Path(folder) / "counter_1.db").write_bytes(b"1")
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed_at_the_next_start_and_what_a_living_one_has_is_not(parent: Path) -> None:
    killed, left = _holder(parent)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert left.exists()
    living, kept = _holder(parent)
    try:
        assert not left.exists()
        with metrics_folder() as folder:
            assert kept.exists()
            assert Path(folder).exists()
        assert kept.exists()
    finally:
        living.communicate("")
    assert not kept.exists()


def test_a_folder_without_a_lock_is_left_alone(parent: Path) -> None:
    """It is none of ours."""
    young = parent / "undertone-ingress-metrics-young"
    young.mkdir()
    with metrics_folder():
        assert young.exists()
