import os
import sys
from pathlib import Path

import pytest

from undertone.command_path import activation


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment, in the working folder, whose programs are not on the path."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "activate").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.usefixtures("environment")
def test_where_the_command_is_not_on_the_path_the_way_to_it_is_named() -> None:
    assert activation() == ". .venv/bin/activate"


def test_where_the_command_is_on_the_path_nothing_is_to_be_done(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = environment / "undertone"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", os.fspath(environment))
    assert activation() is None


def test_an_environment_without_a_script_has_no_way_to_name(environment: Path) -> None:
    (environment / "activate").unlink()
    assert activation() is None
