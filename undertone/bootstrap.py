"""Makes `.venv` with everything in requirements.lock. Needs nothing but Python itself.

This file must also parse under old Pythons, so that they end with one sentence instead of a SyntaxError.
"""

import hashlib
import os
import subprocess
import sys
import tempfile

REQUIRED = (3, 11)
NEWER_PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
LOCK = os.path.join(ROOT, "requirements.lock")
STAMP = os.path.join(VENV, ".undertone-lock")
WITHOUT_WHEELS = (
    "no wheels with a matching",
    "no matching distribution",
    "has no usable wheels",
    "building source distributions is disabled",
    "doesn't have a source distribution or wheel for the current platform",
)


def fail(sentence):
    """End with one sentence."""
    sys.stderr.write("undertone: %s\n" % sentence)
    sys.exit(1)


def main():
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
    with open(STAMP, "w") as stamp:
        stamp.write(_fingerprint())


def is_ready():
    """Whether .venv holds what requirements.lock and pyproject.toml say."""
    if not os.path.exists(VENV_PYTHON) or not os.path.exists(STAMP):
        return False
    with open(STAMP) as stamp:
        return stamp.read() == _fingerprint()


def reenter():
    """Run the same command again inside .venv; never returns."""
    os.execv(VENV_PYTHON, [VENV_PYTHON, "-m", "undertone"] + sys.argv[1:])


def _fingerprint():
    digest = hashlib.sha256(ROOT.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _hand_over_to_a_newer_python():
    for name in NEWER_PYTHONS:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            candidate = os.path.join(folder, name)
            if os.access(candidate, os.X_OK):
                os.execv(candidate, [candidate, os.path.abspath(__file__)] + sys.argv[1:])
    fail(
        "this is Python %d.%d, and Undertone needs Python 3.11 or newer; install one, or name it: make PYTHON=python3.12"
        % sys.version_info[:2]
    )


def _make_venv():
    made = _run([sys.executable, "-m", "venv", "--clear", VENV])
    if made.returncode != 0:
        fail("this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv")


def _install():
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.write(_pinned("uv"))
        pinned.flush()
        _must([VENV_PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", pinned.name])
    uv = [os.path.join(VENV, "bin", "uv"), "pip", "install", "--quiet", "--python", VENV_PYTHON]
    _must(uv + ["--require-hashes", "--no-build", "-r", LOCK])
    _must(uv + ["--no-deps", "--no-build-isolation", "-e", ROOT])


def _pinned(name):
    """The lines of the lock that pin one package with its hashes."""
    with open(LOCK) as lock:
        lines = lock.read().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name + "=="))
    end = start + 1
    while lines[end - 1].endswith("\\"):
        end += 1
    return "\n".join(lines[start:end]) + "\n"


def _must(command):
    """Run a step of the installation, or end with one sentence."""
    done = _run(command)
    if done.returncode == 0:
        return
    output = done.stdout.decode("utf-8", "replace")
    if any(words in output.lower() for words in WITHOUT_WHEELS):
        fail(
            "a package has no wheel for this platform (the README lists those tried); with Docker it runs anywhere: "
            "docker compose up\n%s" % output.strip()[-600:]
        )
    fail("the packages could not be installed; is the package index reachable?\n%s" % output.strip()[-1500:])


def _run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603 - our words


if __name__ == "__main__":
    main()
