"""The fork server itself: `python -m tests.infrastructure.fork_server_process DESCRIPTOR`."""

import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import sys
import threading
from typing import Any

_LENGTH_BYTES = 4
_STANDARD_FILES = 3
_LONGEST_PID = 32
_PACKAGES = ("schemas", "services", "undertone")


def _import_everything() -> None:
    """Every module of ours but the programs themselves: those must run as if for the first time."""
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)


def _next_start(server: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """What is asked for, with its files; None when nobody asks any more."""
    length, files, _, _ = socket.recv_fds(server, _LENGTH_BYTES, _STANDARD_FILES)
    if not length:
        return None
    missing, written = int.from_bytes(length, "big"), b""
    while len(written) < missing:
        written += server.recv(missing - len(written))
    start: dict[str, Any] = json.loads(written)
    return start, files


def _serve(server: socket.socket) -> dict[str, Any] | None:
    """Fork for each request. Returns in every fork, with what it is to be; in the server itself, None at the end."""
    while (asked := _next_start(server)) is not None:
        start, files = asked
        told, telling = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid:
                os.write(telling, str(pid).encode())
                os._exit(0)
            for ours in (server.detach(), told, telling):
                os.close(ours)
            _become(start, files)
            return start
        os.waitpid(between, 0)  # its end makes the new process a child of the test's
        server.sendall(os.read(told, _LONGEST_PID))
        for file in (told, telling, *files):
            os.close(file)
    return None


def _become(start: dict[str, Any], files: list[int]) -> None:
    """Take on environment, folder, session and files, as `exec` would have given them."""
    if start["has_own_session"]:
        os.setsid()
    for standard, file in enumerate(files):
        os.dup2(file, standard)
    for file in files:
        if file >= _STANDARD_FILES:
            os.close(file)
    os.environ.clear()
    os.environ.update(start["environment"])
    os.chdir(start["folder"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the process
    sys.stdout = _writer(1, errors="strict")
    sys.stderr = _writer(2, errors="backslashreplace", is_line_buffered=True)
    sys.argv = [start["module"], *start["arguments"]]
    sys.path[0] = start["folder"]


def _writer(file: int, *, errors: str, is_line_buffered: bool = False) -> io.TextIOWrapper:
    buffer = open(file, "wb", closefd=False)  # noqa: SIM115 - as above
    return io.TextIOWrapper(
        buffer, encoding="utf-8", errors=errors, line_buffering=is_line_buffered or os.isatty(file), write_through=False
    )


def main() -> None:
    """Serve until the test's process ends."""
    server = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    assert threading.active_count() == 1, "a fork copies one thread"
    gc.collect()
    gc.freeze()
    if (start := _serve(server)) is not None:
        runpy.run_module(start["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
