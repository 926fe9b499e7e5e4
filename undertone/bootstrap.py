"""Makes `.venv` with everything in requirements.lock. Needs nothing but Python itself.

This file must also run under old Pythons (3.6 and later), so that they end with one sentence.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, NoReturn

REQUIRED = (3, 11)
NEWER_PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".undertone-lock"
WITHOUT_WHEELS = (
    "no wheels with a matching",
    "no matching distribution",
    "has no usable wheels",
    "building source distributions is disabled",
    "doesn't have a source distribution or wheel for the current platform",
)


def fail(sentence: str) -> NoReturn:
    """End with one sentence."""
    sys.stderr.write(f"undertone: {sentence}\n")
    sys.exit(1)


def main() -> None:
    """Bring .venv up to date; quick when it is."""
    if os.name != "posix":
        fail("Windows is not supported; use WSL 2, or Docker: docker compose up")
    if sys.version_info < REQUIRED:
        _hand_over_to_a_newer_python()
    if is_ready():
        return
    print("Setting up .venv (once, and after changes of requirements.lock)", flush=True)
    _make_venv()
    _install()
    STAMP.write_text(_fingerprint())


def is_ready() -> bool:
    """Whether .venv holds what requirements.lock and pyproject.toml say."""
    return VENV_PYTHON.exists() and STAMP.exists() and STAMP.read_text() == _fingerprint()


def enter_environment() -> None:
    """Return where the packages are installed; from a bare clone, install them and start again inside .venv."""
    try:
        import typer  # noqa: F401, PLC0415 - stands for all packages
    except ImportError:
        if not LOCK.exists():
            return  # an installed distribution: whatever is missing is named by who needs it
        main()
        os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), "-m", "undertone", *sys.argv[1:]])  # noqa: S606 - our own Python


def _fingerprint() -> str:
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _hand_over_to_a_newer_python() -> NoReturn:
    for name in NEWER_PYTHONS:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            candidate = os.path.join(folder, name)  # noqa: PTH118 - execv takes text, and PATH is text
            if os.access(candidate, os.X_OK):
                again = ["-m", "undertone"] if sys.argv[0].endswith("__main__.py") else [str(Path(__file__).resolve())]
                os.execv(candidate, [candidate, *again, *sys.argv[1:]])  # noqa: S606 - a Python from PATH
    found = "{}.{}".format(*sys.version_info[:2])
    fail(f"this is Python {found}, and Undertone needs 3.11 or newer; install one, or name it: make PYTHON=python3.12")


def _make_venv() -> None:
    if VENV_PYTHON.exists() and _run([str(VENV_PYTHON), "-m", "pip", "--version"]).returncode == 0:
        return  # packages change in place: whatever runs from it goes on
    if _run([sys.executable, "-m", "venv", "--clear", str(VENV)]).returncode != 0:
        fail("this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv")


def _install() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.write(_pinned("uv"))
        pinned.flush()
        _must([str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", pinned.name])
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV_PYTHON)]
    _must([*uv, "--require-hashes", "--no-build", "-r", str(LOCK)])
    _must([*uv, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def _pinned(name: str) -> str:
    """The lines of the lock that pin one package with its hashes."""
    lines = LOCK.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name + "=="))
    end = start + 1
    while lines[end - 1].endswith("\\"):
        end += 1
    return "\n".join(lines[start:end]) + "\n"


def _must(command: List[str]) -> None:
    """Run a step of the installation, or end with one sentence."""
    done = _run(command)
    if done.returncode == 0:
        return
    output = done.stdout.decode("utf-8", "replace").strip()
    if any(words in output.lower() for words in WITHOUT_WHEELS):
        fail(
            "a package has no wheel for this platform (the README lists those tried); with Docker Undertone runs "
            f"anywhere: docker compose up\n{output[-600:]}"
        )
    fail(f"the packages could not be installed; is the package index reachable?\n{output[-1500:]}")


def _run(command: List[str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


if __name__ == "__main__":
    main()
